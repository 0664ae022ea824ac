//! nginx by itself, from Debian packages: what it tells to nobody but this machine, and what it does not understand.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::home::{Home, get, get_from, has_debian};

const CONFIGURATION: &str = include_str!("../../recipes/nginx/nginx.conf");

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

/// Sets a flag when it goes, also where a test fails.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks for a page again and again while something happens, and each time has the same answer.
fn always_answered(home: &Home, url: &str, text: &str, happens: impl FnOnce()) {
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = || {
        while !is_over.load(Ordering::Relaxed) {
            let said = get(url);
            if said.status != 200 || said.text != text {
                return Err(said);
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        let end = Sets(&is_over);
        let more =
            |than: usize| home.until("an answer", || asking.is_finished() || count.load(Ordering::Relaxed) > than);
        more(0);
        happens();
        more(count.load(Ordering::Relaxed));
        drop(end);
        asking.join().unwrap().unwrap();
    });
}

#[test]
fn a_configuration_that_it_does_not_understand_changes_nothing() {
    let Some(home) = home() else { return };
    home.run(&["install"]).success();
    let url = home.url(&[], "web");
    let before = home.status(&[]);
    let is_refused = || {
        let failed = home.run(&["update"]).code(1);
        assert!(failed.stderr().contains("unknown directive \"nonsense\""), "{}", failed.stderr());
        let after = home.status(&[]);
        assert_eq!((&after["generation"], &after["switching"]), (&before["generation"], &serde_json::Value::Null));
        assert_eq!(home.service(&[], "web")["state"], "ready");
    };
    always_answered(&home, &url, "a page", || {
        home.write("jove.toml", definition("extra = 'nonsense;'"));
        is_refused();
        home.write("jove.toml", definition(""));
        home.write("templates/nginx/nginx.conf", CONFIGURATION.replace("sendfile on;", "nonsense on;"));
        is_refused();
    });
    // Mended, it is taken.
    let own = "location = /own { return 200 own; }";
    home.write("templates/nginx/nginx.conf", CONFIGURATION.replace("sendfile on;", "sendfile off;"));
    home.write("jove.toml", definition(&format!("extra = '{own}'")));
    home.run(&["update"]).success();
    // Former workers may still answer for a moment.
    home.until("an answer of the new configuration", || get(&format!("{url}own")).text == "own");
    assert_eq!(get(&url).text, "a page");
    home.wipe(&[]);
}
