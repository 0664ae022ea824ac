//! How the processes of a part run: sockets, what all of them have, what may run beside its successor.

use super::fixture::Fixture;
use crate::recipe::text_of_path;

#[test]
fn sockets_are_such_as_several_processes_can_have() {
    let of = |keys: &str| {
        let recipe = format!("summary = 'x'\naction = 'files'\n[[service]]\ncommand = ['/bin/true']\n{keys}\n");
        Fixture::new("[parts.a]\nrecipe = 'mine'").file("recipes/mine/recipe.toml", &recipe)
    };
    for (keys, expected) in [
        ("sockets = 'listen-fds'", "`listens` says no address"),
        ("sockets = 'reuse-port'\nlistens = ['unix:/run/a.sock']", "`reuse-port` is for tcp alone"),
        ("sockets = 'nginx'\nlistens = ['example.org:80']", "`example.org:80` is no address to listen on"),
        ("sockets = 'reuse-port'\nlistens = ['[::1]:80']\ncount = 2", "it must be held for them"),
        ("sockets = 'reuseport'\nlistens = ['[::1]:80']", "did you mean `reuse-port`?"),
    ] {
        let wrong = of(keys).wrong();
        assert!(wrong.contains(expected) && wrong.contains("recipe.toml:"), "{keys}: {wrong}");
    }
    for (keys, overlaps) in [
        ("listens = ['127.0.0.1:80']", false),
        ("sockets = 'reuse-port'\nlistens = ['127.0.0.1:80']", true),
        ("sockets = 'reuse-port'\nlistens = ['127.0.0.1:80']\noverlap = false", false),
        ("sockets = 'listen-fds'\nlistens = ['unix:/run/a.sock']", true),
    ] {
        let stack = of(keys).resolve().expect("stack");
        assert_eq!(stack.parts["a"].services[0].may_overlap(), overlaps, "{keys}");
    }
}

#[test]
fn all_processes_of_a_recipe_have_what_it_says_once() {
    let recipe = "
        [options.vars]
        type = 'table'
        default = { MINE = 'v' }
        [process]
        folder = '/work'
        vars_from = '${.vars}'
        [process.vars]
        A = 'common'
        B = 'common'
        [[service]]
        command = ['/bin/serve']
        vars = { B = 'own', C = 'own' }
        [[schedule]]
        name = 'tidy'
        command = ['/bin/tidy']
        at = '@daily'
        folder = '/elsewhere'
        [[step]]
        name = 'fill'
        command = ['/bin/fill']
        vars_from = {}
        [data]
        dump = ['/bin/dump']
    ";
    let stack = Fixture::new("[parts.a]\nrecipe = 'r'").recipe("r", recipe).resolve().expect("stack");
    let part = &stack.parts["a"];
    let seen = |name: &str| {
        let spec = part.services.iter().find(|spec| spec.name.as_str() == name);
        let spec = spec.unwrap_or_else(|| &part.data_commands[0].spec);
        let vars = ["A", "B", "C", "MINE"].map(|name| spec.vars.get(name).map_or("-".to_owned(), ToString::to_string));
        format!("{} {}", text_of_path(&spec.folder), vars.join(" "))
    };
    assert_eq!(seen("a"), "/work common own own v");
    assert_eq!(seen("a-tidy"), "/elsewhere common common - v");
    assert_eq!(seen("a-fill"), "/work common common - -");
    assert_eq!(seen("the dump"), "/work common own own v", "a command of [data] has what the first service has");
    let wrong = Fixture::new("[parts.a]\nrecipe = 'r'").recipe("r", "[process]\nready = {}\n").wrong();
    assert!(wrong.contains("[process] knows no `ready`"), "{wrong}");
}

#[test]
fn a_step_whose_work_former_services_cannot_bear_keeps_new_ones_from_running_beside_them() {
    let overlaps = |options: &str| {
        let recipe = "
            [options.prepare]
            type = 'string'
            [options.compatible]
            type = 'bool'
            default = false
            [[step]]
            name = 'prepare'
            command = ['/bin/prepare']
            overlap = '${.compatible}'
            when = { prepare = true }
            [[service]]
            command = ['/bin/serve']
            listens = ['127.0.0.1:80']
            sockets = 'listen-fds'
        ";
        let stack = Fixture::new(&format!("[parts.a]\nrecipe = 'r'\n{options}")).recipe("r", recipe).resolve();
        let services = &stack.expect("stack").parts["a"].services;
        let overlaps = services.iter().any(|spec| spec.may_overlap());
        assert_eq!(services.iter().any(|spec| spec.alone), !overlaps, "the step says it of itself");
        overlaps
    };
    assert!(overlaps(""), "nothing is prepared");
    assert!(!overlaps("prepare = 'migrate'"));
    assert!(overlaps("prepare = 'migrate'\ncompatible = true"));
}
