//! What parts are made of: services, files, sources, needs, secrets.

use insta::assert_snapshot;

use super::fixture::{Counter, Fixture, value};
use crate::recipe::{OptionValue, Stack, text_of_path};
use crate::service::ProbeKind;

const SITE: &str = r#"
[options.env]
type = "path"
default = "/opt/env"
[options.args]
type = "list"
default = []
[options.password]
type = "secret"
default = "generate"
[options.vars]
type = "table"
default = {}
[options.debug]
type = "bool"
default = false
[options.ready]
type = "table"
[options.listens]
type = "list"
default = []
[options.source]
type = "path"
[options.files]
type = "list"
of = "table"
default = []
[options.port]
type = "port"
default = "auto"
[[source]]
from = "${.source}"
to = "app"
when = { debug = false }
[[file]]
template = "site.cfg"
path = "etc/site.cfg"
reloadable = true
[[file]]
copy = "run.py"
path = "run.py"
executable = true
[[file]]
each = "${.files}"
template = "${item.template}"
path = "${item.path}"
executable = "${item.executable:-false}"
[[step]]
name = "migrate"
command = ["${.env}/bin/migrate"]
key = "${.object}-${.password}"
[[step]]
name = "fill"
command = ["/bin/true"]
needs = ["main"]
[[service]]
command = ["${.env}/bin/python", "${.object}/run.py", "--port=${.port}", "${.args}", "${.source}"]
folder = "${.object}/app"
vars = { A = "1", B = "${.debug}", PASSWORD = "${.password}", NOTHING = "${.source}", HOME = "/h" }
vars_from = "${.vars}"
folders = ["${.data}/out"]
ready = "${.ready}"
live = { http = "http://h:${.port}/", headers = { Host = "${.name}" }, failures = 2 }
stop = { signal = "SIGINT", grace = "1m" }
reload = "HUP"
restart = { policy = "on-failure", burst = 3 }
watch = ["${.source}"]
urls = ["http://h:${.port}/"]
listens = ["h:${.port}", "${.listens}"]
log = { max_bytes = "1MiB", keep = 2 }
[[service]]
name = "worker"
command = ["/bin/worker"]
needs = ["main", "debugger"]
[[service]]
name = "debugger"
command = ["/bin/debugger"]
when = { debug = true }
[data]
folders = ["${.data}"]
version = "2"
[exports]
url = "http://u:${.password}@h:${.port}/"
[[promise]]
name = "answers"
http = "http://h:${.port}/"
status = 200
expect_headers = { Content-Type = "html" }
"#;

fn site(options: &str) -> Fixture {
    Fixture::new(&format!("[parts.s]\nrecipe = 'site'\n{options}\n"))
        .recipe("site", SITE)
        .shipped("site/site.cfg", "port = {{ port }}\nword = {{ password }}\nin = {{ object }}/x\n")
        .shipped("site/run.py", "#!/usr/bin/env python\n{{ as it is }}\n")
}

fn needs(stack: &Stack, part: &str) -> String {
    let specs = stack.parts[part].services.iter();
    let needs = specs.flat_map(|spec| {
        spec.needs.iter().map(move |need| format!("{} {} {:?}", spec.name, need.service, need.condition))
    });
    needs.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_service_is_made_as_its_recipe_says() {
    let options =
        "args = ['a', '-${.debug}']\nvars = { A = 'two', N = 3 }\nready = { tcp = 'h:${.port}', deadline = '5s' }";
    let stack = site(options).resolve().expect("stack");
    let spec = &stack.parts["s"].services[0];
    let command: Vec<String> = spec.command.iter().map(ToString::to_string).collect();
    assert_eq!(command, ["/opt/env/bin/python", "${s}/run.py", "--port=20001", "a", "-false"]);
    let vars: Vec<String> = spec.vars.iter().map(|(name, word)| format!("{name}={word}")).collect();
    assert_snapshot!(vars.join("\n"), @"
    A=two
    B=false
    HOME=/h
    LANG=C.UTF-8
    N=3
    PASSWORD=secret:s.password@v1
    PATH=/usr/local/bin:/usr/bin:/bin
    PYTHONDONTWRITEBYTECODE=1
    ");
    assert_eq!(text_of_path(&spec.folder).to_string(), "${s}/app");
    assert_snapshot!(format!("{:?}\n{:?}\n{:?}\n{:?}\n{:?}", spec.ready, spec.live, spec.stop, spec.restart, spec.log), @r#"
    Some(Probe { kind: Tcp("h:20001"), interval: 100ms, timeout: 5s, deadline: 5s })
    Some(Liveness { probe: Probe { kind: Http { url: "http://h:20001/", status: 0, contains: "", headers: Headers({"Host": "s"}), expect_headers: Headers({}) }, interval: 10s, timeout: 5s, deadline: 60s }, failures: 2 })
    Stop { signal: "INT", grace: 60s }
    Restart { policy: OnFailure, first: 100ms, max: 30s, settle: 10s, burst: 3, window: 30s }
    LogPolicy { max_bytes: 1048576, keep: 2, max_age: None, compress: None, format: Raw, on_full: Drop, forward: None }
    "#);
    assert_eq!(spec.folders, [std::path::Path::new("/home/u/jove/p/var/s/out")]);
    assert!(spec.watch.is_empty(), "a reference to nothing disappears");
    assert_eq!(
        (spec.urls.as_slice(), spec.listens.as_slice()),
        (&["http://h:20001/".to_owned()][..], &["h:20001".to_owned()][..])
    );
    assert_eq!(spec.reload.as_deref(), Some("HUP"));
    let part = &stack.parts["s"];
    assert_eq!(part.promises[0].name, "s: answers");
    let ProbeKind::Http { expect_headers, .. } = &part.promises[0].probe.kind else { panic!("of HTTP") };
    assert_eq!(expect_headers.iter().collect::<Vec<_>>(), [("Content-Type", "html")]);
    assert_eq!((part.data_version.as_deref(), part.data.len()), (Some("2"), 1));
}

#[test]
fn services_wait_for_steps_and_for_what_is_said() {
    let project = "needs = ['t', 'm', 'u-worker', 'v:started']\n[parts.t]\nrecipe = 'site'\n[parts.m]\nrecipe = 'steps'\n[parts.u]\nrecipe = 'site'\n[parts.v]\nrecipe = 'site'";
    let steps = "[[step]]\nname = 'one'\ncommand = ['/bin/true']\n";
    let stack = site(project).recipe("steps", steps).resolve().expect("stack");
    // `fill` waits for the main service, so that one does not wait for it.
    assert_snapshot!(needs(&stack, "t"), @"
    t t-migrate Succeeded
    t-worker t Ready
    t-worker t-fill Succeeded
    t-worker t-migrate Succeeded
    t-fill t Ready
    ");
    let of_main: Vec<String> =
        needs(&stack, "s").lines().filter(|line| line.starts_with("s ")).map(str::to_owned).collect();
    assert_eq!(
        of_main,
        [
            "s m-one Succeeded",
            "s s-migrate Succeeded",
            "s t Ready",
            "s t-fill Succeeded",
            "s u-worker Ready",
            "s v Started"
        ]
    );
}

#[test]
fn needs_that_mean_nothing_are_told() {
    let fixture = site("needs = ['tt', 's']\n[parts.t]\nrecipe = 'site'\n[parts.e]\nrecipe = 'none'")
        .recipe("none", "summary = 'x'");
    assert_snapshot!(fixture.wrong(), @"
    there is no part called `tt`
      jove.toml:3:10 'tt' <>
      hint: did you mean `t`?
    part `s` needs itself
      jove.toml:3:16 's' <>
    ");
    let fixture = site("needs = ['e']\n[parts.e]\nrecipe = 'none'").recipe("none", "summary = 'x'");
    let (_, warnings) = fixture.resolve_with(&mut Counter::default()).expect("stack");
    assert_eq!(warnings.0[0].message, "part `e` has no service, so needing it orders nothing");
}

#[test]
fn two_parts_cannot_have_a_service_of_one_name() {
    let fixture = site("[parts.s-worker]\nrecipe = 'site'");
    assert!(
        fixture.wrong().starts_with("parts `s` and `s-worker` both have a service `s-worker`"),
        "{}",
        fixture.wrong()
    );
}

#[test]
fn files_are_rendered_copied_and_keep_their_pieces() {
    let options = "source = 'src'\nfiles = [{ template = 'tpl/a.sh', path = 'bin/a.sh', executable = true }, { template = 'tpl/b.json', path = 'b.json' }]";
    let fixture = site(options)
        .file("tpl/a.sh", "#!/bin/sh\necho {{ port }}\n")
        .file("tpl/b.json", "{\"p\": {{ args | tojson }}}");
    let stack = fixture.resolve().expect("stack");
    let part = &stack.parts["s"];
    let files = part.files.iter().map(|file| {
        let flags = (file.executable, file.reloadable);
        format!("{} {flags:?} from {}\n{}", file.path.display(), file.template, file.content)
    });
    assert_snapshot!(files.collect::<Vec<_>>().join("----\n"), @r##"
    etc/site.cfg (false, true) from site/site.cfg
    # made by jove-install from site/site.cfg; edit the template or jove.toml, not this file
    port = 20001
    word = secret:s.password@v1
    in = ${s}/x
    ----
    run.py (true, false) from site/run.py
    #!/usr/bin/env python
    {{ as it is }}
    ----
    bin/a.sh (true, false) from tpl/a.sh
    #!/bin/sh
    # made by jove-install from tpl/a.sh; edit the template or jove.toml, not this file
    echo 20001
    ----
    b.json (false, false) from tpl/b.json
    {"p": []}
    "##);
    assert!(part.files[0].content.is_secret());
    assert_eq!(part.sources[0].from, fixture.folder().join("src"));
    assert_eq!(part.sources[0].to, std::path::Path::new("app"));
    assert_eq!(part.sources[0].origin.as_ref().map(|origin| origin.line_column().0), Some(3));
    assert!(site("source = '.'\ndebug = true").resolve().expect("stack").parts["s"].sources.is_empty());
}

#[test]
fn files_that_cannot_be_made_are_told() {
    for (files, expected) in [
        ("{ template = 'no.cfg', path = 'a' }", "a template cannot be read"),
        (
            "{ template = 'jove.toml', path = '/etc/a' }",
            "the path of a file must be inside the part's own folder, but is `/etc/a`",
        ),
        (
            "{ template = 'jove.toml', path = '../a' }",
            "the path of a file must be inside the part's own folder, but is `../a`",
        ),
        ("{ template = 'jove.toml', path = 'run.py' }", "part `s` makes the file `run.py` twice"),
        ("{ template = 'jove.toml' }", "the path of a file is nothing"),
    ] {
        let wrong = site(&format!("files = [{files}]")).wrong();
        assert!(wrong.contains(expected), "{files}: {wrong}");
    }
    // Where the user said it, with what may be meant.
    let files = "files = [{ template = 'run.tpl', path = 'a' },\n{ path = 'b', template = 'tpl/nope.cfg' },\n{ path = '../b', template = 'tpl/c.cfg' }]";
    let fixture = site(files).file("rum.tpl", "").file("run.py", "").file("tpl/c.cfg", "").file("tpl/c.txt", "");
    let wrong = fixture.wrong().replace(&fixture.folder().display().to_string().to_lowercase(), ".");
    assert_snapshot!(wrong, @"
    a template cannot be read: failed to open file `./run.tpl`: no such file or directory (os error 2)
      jove.toml:3:23 'run.tpl' <>
      hint: did you mean `rum.tpl`?
    a template cannot be read: failed to open file `./tpl/nope.cfg`: no such file or directory (os error 2)
      jove.toml:4:26 'tpl/nope.cfg' <>
      hint: beside it: `tpl/c.cfg`
    the path of a file must be inside the part's own folder, but is `../b`
      jove.toml:5:10 '../b' <no `/` before it, and no `..`>
    ");
    let wrong = site("").shipped("site/site.cfg", "{{ prot }}").wrong();
    assert_snapshot!(wrong, @"
    template `site/site.cfg` cannot be rendered: nothing is called `prot`
      site/site.cfg:1:4 prot <unknown name>
      jove.toml:1:8 s <for part `s`>
      hint: did you mean `port`?
    ");
    let wrong = site("").shipped("site/site.cfg", "{{ password | upper }}").wrong();
    assert!(wrong.contains("a secret or object was cut or changed inside a template"), "{wrong}");
    let fixture = Fixture::new("[parts.a]\nrecipe = 'r'")
        .recipe("r", "[[file]]\ncopy = 'b.py'\npath = 'a'\n[[file]]\ncopy = 'x:y'\npath = 'b'");
    let wrong = fixture.shipped("r/c.py", "").wrong();
    assert!(wrong.contains("recipe `r` has no file `b.py`") && wrong.contains("did you mean `c.py`?"), "{wrong}");
    assert!(wrong.contains("there is no recipe called `x`"), "{wrong}");
}

#[test]
fn projects_override_recipes_file_by_file() {
    let fixture = site("").file("templates/site/site.cfg", "mine\n").file("recipes/site/run.py", "also mine\n");
    let catalogue = fixture.catalogue();
    assert_eq!(catalogue.file("site", "site.cfg").as_deref(), Some(&b"mine\n"[..]));
    let stack = fixture.resolve().expect("stack");
    assert_eq!(stack.parts["s"].files[1].content.as_plain(), Some("also mine\n"));
    let inputs = catalogue.inputs();
    assert!(inputs.contains(&fixture.folder().join("templates/site/site.cfg")));
    assert!(inputs.contains(&fixture.folder().join("recipes")));
    let own = Fixture::new("[parts.a]\nrecipe = 'mine'")
        .file("recipes/mine/recipe.toml", "summary = 'x'\n[options.a]\ntype = 'strin'");
    assert_snapshot!(own.wrong(), @"
    `strin` is no type of an option here
      recipes/mine/recipe.toml:3:8 'strin' <>
      hint: did you mean `string`?
    ");
    let empty = Fixture::new("[parts.a]\nrecipe = 'mine'").file("recipes/mine/README", "");
    assert!(empty.wrong().contains("the project's folder `recipes/mine` has no `recipe.toml`"), "{}", empty.wrong());
}

#[test]
fn what_holds_a_secret_is_secret() {
    let stack = site("vars = { URL = '${t.url}' }\n[parts.t]\nrecipe = 'site'").resolve().expect("stack");
    assert_eq!(value(&stack, "s.url"), r#""http://u:secret:s.password@v1@h:20001/""#);
    assert_eq!(stack.parts["s"].services[0].vars["URL"].secrets().count(), 1);
    let OptionValue::Table(vars) = &stack.parts["s"].options["vars"].value else { panic!("a table") };
    assert_eq!(crate::recipe::explain::for_people(&vars["URL"]), r#""http://u:secret:t.password@v1@h:20002/""#);
}

#[test]
fn secrets_do_not_reach_what_others_can_read() {
    for (options, expected) in [
        ("args = ['--password=${.password}']", "the command holds secret:s.password@v1"),
        ("ready = { http = 'http://u:${.password}@h/' }", "`http` of `ready` cannot hold a secret"),
        ("ready = { exec = ['x', '${.password}'] }", "`exec` of `ready` holds a secret"),
        (
            "ready = { http = 'http://h/', headers = { token = '${.password}' } }",
            "`token` in `headers` of `ready` cannot hold a secret",
        ),
        ("source = '/x/${.password}'", "a path cannot hold a secret"),
        ("password = 'hunter2'", "`s.password` is a secret, and its word is written in `jove.toml`"),
        ("password = '${.env}'", "`s.password` is a secret, and its word is written"),
        ("password = '${vars.NO:-hunter2}'", "`s.password` is a secret, and its word is written"),
        ("password = 5", "`s.password` must be a secret"),
    ] {
        let wrong = site(options).wrong();
        assert!(wrong.contains(expected), "{options}: {wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
    let wrong = site("").set("s.password=hunter2").wrong();
    assert!(wrong.contains("jove-install secret set s.password") && !wrong.contains("hunter2"), "{wrong}");
    let wrong = site("args = ['--password=${.password}']").wrong();
    assert!(wrong.contains("jove.toml:3:8"), "points at the user's own place: {wrong}");
}

#[test]
fn a_secret_from_a_process_variable_is_kept_by_name() {
    let mut counter = Counter::default();
    let fixture = site("password = '${vars.WORD}'").var("WORD", "canary");
    let (stack, _) = fixture.resolve_with(&mut counter).expect("stack");
    assert_eq!(counter.given, [("s.password".to_owned(), "canary".to_owned())]);
    assert_eq!(value(&stack, "s.password"), r#""secret:s.password@given""#);
    assert!(!stack.vars_used.contains_key("WORD"));
    assert_eq!(stack.secret_vars["WORD"].to_string(), "secret:s.password@given");
    assert!(!format!("{stack:?}").contains("canary"));
}

#[test]
fn commands_and_tables_of_services_are_checked() {
    for (options, expected) in [
        ("env = '/e'\nready = { tpc = 'h:1' }", "`ready` must have exactly one of"),
        ("ready = { tcp = 'h:1', log = 'x' }", "`ready` must have exactly one of"),
        ("ready = { tcp = 'h' }", "`tcp` of `ready` must be `host:port`"),
        ("ready = { tcp = 'h:1', dealine = 3 }", "`ready` knows no `dealine`; did you mean `deadline`?"),
        ("ready = { http = 'https://x' }", "must begin with `http://`"),
        (
            "ready = { http = 'http://h/', headers = { 'Ho st' = 'x' } }",
            "`headers` of `ready`: `Ho st` is no name of a header field",
        ),
        (
            "ready = { http = 'http://h/', expect_headers = { Allow = ['x'] } }",
            "`Allow` in `expect_headers` of `ready` must be a text, but is a list",
        ),
        ("ready = { tcp = 'h:1', headers = { Host = 'x' } }", "`ready` knows no `headers`"),
        ("ready = { tcp = 'h:1', timeout = 'soon' }", "`timeout` of `ready` must be a duration"),
        ("vars = { 'A=B' = 'x' }", "`A=B` is no name of a process variable"),
        ("vars = { A = ['x'] }", "process variable `A` must be a text, but is a list"),
        ("args = [['x']]", "must be"),
        ("listens = ['unix:/a',\n'nonsense']", "`nonsense` is no address to listen on"),
        ("listens = ['unix:/a',\n'nonsense']", "jove.toml:4:1 'nonsense' <>"),
        ("listens = ['127.0.0.1:99999']", "`127.0.0.1:99999` is no address to listen on"),
        ("listens = ['unix:a']", "`unix:a` is no address to listen on"),
    ] {
        let wrong = site(options).wrong();
        assert!(wrong.to_lowercase().contains(&expected.to_lowercase()), "{options}: {wrong}");
        assert!(wrong.contains("jove.toml:"), "{options}: {wrong}");
    }
}
