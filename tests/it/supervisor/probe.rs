//! Probes of HTTP that say more than an address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use jove_install::service::{Headers, Liveness, Probe, ProbeKind, Promise, ServiceSpec};
use jove_install::supervisor::{ServiceState, SwitchOutcome};

use super::{FOREVER, Prefix, named, until};

/// Answers whoever asks for `shop.example.org` as that site, and all others as somebody else; ends with the tests.
pub fn sites() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(|caller| drop(answer(&caller))));
    format!("http://{address}/")
}

fn answer(mut caller: &TcpStream) -> std::io::Result<()> {
    let head = BufReader::new(caller).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    // All of it is read, for else the caller might lose the answer.
    let head: Vec<String> = head.collect();
    let site = if head.iter().any(|line| line == "Host: shop.example.org") { "shop" } else { "other" };
    write!(caller, "HTTP/1.0 200 OK\r\nX-Site: {site}\r\n\r\nwelcome")
}

fn headers(name: &str, value: &str) -> Headers {
    Headers::new([(name.to_owned(), value.to_owned())].into()).expect("fields")
}

/// Asks for the shop, and wants this piece of its name in the answer.
fn asking(url: &str, piece: &str) -> Probe {
    let (headers, expect_headers) = (headers("Host", "shop.example.org"), headers("x-site", piece));
    let kind =
        ProbeKind::Http { url: url.to_owned(), status: 200, contains: "welcome".into(), headers, expect_headers };
    Probe { interval: Duration::from_millis(20), deadline: Duration::from_secs(30), ..Probe::new(kind) }
}

#[test]
fn one_site_of_several_is_asked_by_its_name() {
    let prefix = Prefix::new();
    let url = sites();
    let ready = |piece: &str| ServiceSpec { ready: Some(asking(&url, piece)), ..prefix.service("web", FOREVER) };
    prefix.generation(1, vec![ready("shop")]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    let never = Probe { deadline: Duration::from_millis(300), ..asking(&url, "other") };
    // Another command, for one that goes on as it was is not asked again.
    let other = prefix.service("web", "exec sleep 1001");
    prefix.generation(2, vec![ServiceSpec { ready: Some(never), ..other }]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(2) else { panic!("committed") };
    assert!(reason.starts_with("web: it was not ready within"), "{reason}");
    assert_eq!(prefix.status("web").state, ServiceState::Ready);
    assert_ne!(prefix.pid("web"), pid);
}

#[test]
fn a_promise_and_a_check_say_which_header_field_is_wrong() {
    let prefix = Prefix::new();
    let url = sites();
    let promise = |piece: &str| {
        let probe = Probe { deadline: Duration::from_millis(100), ..asking(&url, piece) };
        vec![Promise { name: "web: is the shop".into(), part: named("web"), probe }]
    };
    let live = Liveness { probe: asking(&url, "market"), failures: 2 };
    let wrong = format!("{url}: header field `x-site` is `shop`, and `market` is not in it");
    prefix.generation_with(1, vec![prefix.service("web", FOREVER)], promise("market"));
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(1) else { panic!("committed") };
    assert_eq!(reason, format!("web: is the shop: {wrong}"));
    prefix.generation_with(2, vec![ServiceSpec { live: Some(live), ..prefix.service("web", FOREVER) }], promise("sho"));
    // Whether it falls in the trial or after it is left to chance.
    let _ = prefix.switch(2);
    until("an unwell service", || {
        prefix.client().events(100).ok()?.iter().any(|event| event.text.contains(&wrong)).then_some(())
    });
}

#[test]
fn an_answer_may_take_its_time_and_need_not_end() {
    let prefix = Prefix::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/", listener.local_addr().expect("address"));
    let asked = std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        // The slowness is what is looked at.
        std::thread::sleep(Duration::from_millis(1500));
        caller.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("answered");
        // Kept open until the other side has had enough.
        let _ = std::io::Read::read_to_end(&mut caller, &mut Vec::new());
        listener.set_nonblocking(true).expect("set");
        assert!(listener.accept().is_err(), "it asked twice");
    });
    let kind = ProbeKind::Http {
        url,
        status: 0,
        contains: String::new(),
        headers: Headers::default(),
        expect_headers: Headers::default(),
    };
    prefix.generation(1, vec![ServiceSpec { ready: Some(Probe::new(kind)), ..prefix.service("web", FOREVER) }]);
    prefix.commit(1);
    asked.join().expect("one question");
}
