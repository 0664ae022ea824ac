//! nginx by itself, from Debian packages: what it tells to nobody but this machine.

use std::net::Ipv4Addr;

use crate::home::{Home, get_from, has_debian};

fn home() -> Option<Home> {
    let mut home = has_debian().then(Home::of_known_user).flatten()?;
    home.enter("gate");
    home.write("pages/index.html", "a page");
    home.write("jove.toml", definition(""));
    Some(home)
}

fn definition(more: &str) -> String {
    format!("name = 'gate'\n[parts.web]\nrecipe = 'nginx'\nlocations = {{ '/' = 'pages' }}\n{more}")
}

#[test]
fn what_is_for_this_machine_is_refused_to_others() {
    let Some(home) = home() else { return };
    let (own, other) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    // An address of the machine's own, as in a network: its probes come from there.
    let named = Ipv4Addr::new(127, 0, 0, 3);
    for (host, allowed) in [(own, vec![own]), (named, vec![own, named])] {
        home.run(&["install", "--set", &format!("web.host={host}")]).success();
        let url = home.url(&[], "web");
        assert!(url.starts_with(&format!("http://{host}:")), "{url}");
        for (path, text) in [("health", "well\n"), ("status", "Active connections"), ("revision", "\"gate\"")] {
            let url = format!("{url}.jove/{path}");
            for source in &allowed {
                let said = get_from(*source, &url);
                assert!(said.status == 200 && said.text.contains(text), "{url} from {source}: {said:?}");
            }
            assert_eq!(get_from(other, &url).status, 403, "{url}");
        }
        assert_eq!(get_from(other, &url).text, "a page");
    }
    home.wipe(&[]);
}
