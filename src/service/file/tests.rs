//! Files of services, and what is said of what they hold besides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Form, Read, Surroundings, form, procfile, read};
use crate::service::Sockets;
use crate::service::group::Totals;
use crate::service::limit::Resource;

fn reading(form: Form, text: &str) -> Result<Read, super::FileError> {
    let vars = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
    let surroundings =
        Surroundings { folder: Path::new("/site"), vars: &vars, declared: &BTreeMap::new(), host: "here" };
    let include = |pattern: &str| match pattern {
        "/site/conf.d/*.ini" => {
            vec![(PathBuf::from("/site/conf.d/a.ini"), "[program:extra]\ncommand = %(here)s/run\n".to_owned())]
        }
        _ => Vec::new(),
    };
    read(form, text, surroundings, &include)
}

fn told(form: Form, text: &str) -> String {
    let read = match reading(form, text) {
        Ok(read) => read,
        Err(error) => return format!("error: {error}"),
    };
    let mut made = String::new();
    for spec in &read.services.services {
        let command: Vec<String> = spec.command.iter().map(ToString::to_string).collect();
        let vars: Vec<String> = spec.vars.iter().map(|(name, value)| format!("{name}={value}")).collect();
        made.push_str(&format!("{}: {:?} in {} with {vars:?}", spec.name, command, spec.folder.display()));
        made.push_str(&format!(", {:?} {} {:?}", spec.restart.policy, spec.stop.signal, spec.stop.grace));
        made.push_str(if spec.manual { ", by hand\n" } else { "\n" });
    }
    made.extend(read.left.iter().map(|left| format!("- {left}\n")));
    made
}

#[test]
fn forms_are_known_by_names() {
    for (path, expected) in [
        ("a/services.toml", Some(Form::Own)),
        ("Procfile", Some(Form::Procfile)),
        ("Procfile.dev", Some(Form::Procfile)),
        ("/etc/supervisord.conf", Some(Form::Supervisord)),
        ("x.ini", Some(Form::Supervisord)),
        ("x.yaml", None),
    ] {
        assert_eq!(form(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn a_procfile() {
    let text = "# a site\nweb: bundle exec serve -p $PORT\nWork_er: rake work\n";
    insta::assert_snapshot!(told(Form::Procfile, text), @r#"
    web: ["/bin/sh", "-c", "bundle exec serve -p $PORT"] in /site with ["PORT=5000"], Always TERM 10s
    work-er: ["/bin/sh", "-c", "rake work"] in /site with ["PORT=5100"], Always TERM 10s
    - a process that ends is started again after a growing wait; other Procfile runners end all of them
    - `Work_er` is called `work-er` here
    "#);
    assert_eq!(told(Form::Procfile, "web bundle"), "error: line 1: no `name: command`");
    assert_eq!(
        told(Form::Procfile, "a_b: x\na-b: y"),
        "error: `a_b` and `a-b` both become a service `a-b`; rename one"
    );
    assert_eq!(told(Form::Procfile, "# nothing\n"), "error: it declares no service");
}

#[test]
fn variables_beside_a_procfile() {
    let text = "# x\nA=1\nexport B = 'a b'\nC=\"x\\ny\"\n\nD=\n";
    let vars = procfile::variables(text).expect("variables");
    let vars: Vec<_> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(vars, [("A", "1"), ("B", "a b"), ("C", "x\ny"), ("D", "")]);
    assert!(procfile::variables("no value").is_err());
}

#[test]
fn a_supervisord_configuration() {
    let text = r#"
; comment
[supervisord]
nodaemon = true
logfile = /tmp/supervisord.log
[inet_http_server]
port = 127.0.0.1:9001
[include]
files = conf.d/*.ini other/*.conf
[group:all]
programs = web
[program:web]
command = /usr/bin/python3 -m "http server"
    --port 80%(process_num)02d   ; inline
process_name = %(program_name)s_%(process_num)s
numprocs = 2
directory = app
environment = A="x,y",HOME2='%(ENV_HOME)s', B=c
autorestart = true
stopsignal = QUIT
stopwaitsecs = 3
user = www
priority = 10
stdout_logfile = /var/log/web.log
redirect_stderr = true
[program:once]
command = true
autorestart = unexpected
autostart = false
exitcodes = 0,2
"#;
    let text = text.replace("conf.d/*.ini other/*.conf", "%(here)s/conf.d/*.ini %(here)s/other/*.conf");
    insta::assert_snapshot!(told(Form::Supervisord, &text), @r#"
    web-0: ["/usr/bin/python3", "-m", "http server", "--port", "8000"] in /site/app with ["A=x,y", "B=c", "HOME2=/home/me"], Always QUIT 3s
    web-1: ["/usr/bin/python3", "-m", "http server", "--port", "8001"] in /site/app with ["A=x,y", "B=c", "HOME2=/home/me"], Always QUIT 3s
    once: ["true"] in /site with [], OnFailure TERM 10s, by hand
    extra: ["/site/conf.d/run"] in /site with [], OnFailure TERM 10s
    - [supervisord]: `logfile`: logs are in `log/` of the folder, what runs is in `run/`
    - [inet_http_server] is not carried over
    - [group:all]: its programs keep their own names; name them together
    - [program:web] user = www: everything runs as you
    - [program:web] its output is in `log/` of the folder; `logs` shows it
    - [program:once] exitcodes = 0,2: only 0 is a good end
    - [include] `/site/other/*.conf` names no file
    "#);
    for (text, expected) in [
        ("command = x", "error: line 1: it stands before any `[section]`"),
        ("[program:a]\n", "error: service `a`: it has no `command`"),
        ("[program:a]\ncommand=x %(nothing)s", "error: service `a`: `%(nothing)s` is not known here"),
        ("[program:a]\ncommand=x\nstopsignal=NO", "error: service `a`: `NO` is no signal"),
        (
            "[program:a]\ncommand=x\nstopwaitsecs=soon",
            "error: service `a`: `stopwaitsecs` must be a number, but is `soon`",
        ),
        ("[unix_http_server]\nfile=/x", "error: it declares no service"),
    ] {
        assert_eq!(told(Form::Supervisord, text), expected);
    }
}

#[test]
fn our_own_form() {
    let text = r#"
[services.web]
command = ["/usr/bin/serve", "--port", "80"]
folder = "app"
vars = { A = "b" }
needs = ["init:succeeded", "db"]
ready = { http = "http://127.0.0.1:80/", deadline = "5s" }
live = { tcp = "127.0.0.1:80", failures = 2 }
stop = { signal = "SIGINT", grace = 2 }
restart = { policy = "on-failure", first = "10ms" }
[services.db]
command = "exec db --data ."
clean = true
manual = true
[jobs.report]
command = ["/bin/date"]
at = "@daily"
zone = "UTC"
[steps.init]
command = "touch made"
"#;
    insta::assert_snapshot!(told(Form::Own, text), @r#"
    db: ["/bin/sh", "-c", "exec db --data ."] in /site with [], Always TERM 10s, by hand
    web: ["/usr/bin/serve", "--port", "80"] in /site/app with ["A=b"], OnFailure INT 2s
    report: ["/bin/date"] in /site with [], Never TERM 10s
    init: ["/bin/sh", "-c", "touch made"] in /site with [], Never TERM 10s
    "#);
    for text in [
        "[services.web]\ncomand = 'x'",
        "[services.web]\ncommand = ''\nneeds = ['db:soon']",
        "[services.web]\ncommand = 'x'\nneeds = ['db']",
        "[services.web]\ncommand = 'x'\nready = { tcp = 'a:1', log = 'x' }",
        "[jobs.a]\ncommand = 'x'\nat = 'soon'",
        "[services.web]\ncommand = 'x'\nready = { tcp = 'a:1', headers = { Host = 'x' } }",
        "[services.web]\ncommand = 'x'\nready = { http = 'http://a/', headers = { 'Ho st' = 'x' } }",
        "[services.web]\ncommand = 'x'\nstop = { grace = 'soon' }",
        "[services.Web]\ncommand = 'x'",
    ] {
        let said = told(Form::Own, text);
        assert!(said.starts_with("error: "), "{text}: {said}");
    }
}

#[test]
fn what_bounds_and_serves_a_service_is_as_in_recipes() {
    let text = r#"
[services.web]
command = "serve"
listens = ["127.0.0.1:80", "unix:/run/web.sock"]
sockets = "listen-fds"
watchdog = "30s"
limits = { open = 4096, memory = "2GiB", core = "most", nice = 5, umask = "027", oom = -5, total_cpu = 150, total_memory = "1MiB" }
writes = ["data", "/tmp"]
[services.alone]
command = "serve"
listens = ["127.0.0.1:81"]
sockets = "reuse-port"
overlap = false
watchdog = 0
[services.itself]
command = "serve"
listens = ["*:82"]
[jobs.report]
command = "report"
at = "@daily"
limits = { processes = 9 }
[steps.init]
command = "make"
writes = []
"#;
    let services = reading(Form::Own, text).expect("read").services.services;
    let of = |name: &str| services.iter().find(|spec| spec.name.as_str() == name).expect("a service");
    let web = of("web");
    assert_eq!((web.sockets, web.overlap, web.watchdog), (Sockets::ListenFds, true, Some(Duration::from_secs(30))));
    assert_eq!(web.held(), ["127.0.0.1:80", "unix:/run/web.sock"]);
    assert_eq!(web.writes, Some(vec![PathBuf::from("/site/data"), PathBuf::from("/tmp")]));
    let limits = &web.limits;
    let resources = [(Resource::Core, None), (Resource::Memory, Some(2 << 30)), (Resource::Open, Some(4096))];
    assert_eq!(limits.resources, resources.into());
    assert_eq!((limits.nice, limits.umask, limits.oom), (Some(5), Some(0o027), Some(-5)));
    assert_eq!(limits.total, Totals { memory: Some(1 << 20), cpu: Some(150), processes: None });
    let alone = of("alone");
    assert_eq!((alone.sockets, alone.overlap, alone.watchdog), (Sockets::ReusePort, false, None));
    assert_eq!((of("itself").sockets, of("itself").overlap), (Sockets::None, false));
    assert_eq!(of("report").limits.resources, [(Resource::Processes, Some(9))].into());
    assert_eq!((of("init").writes.as_deref(), &of("itself").writes), (Some(&[][..]), &None));
}

#[test]
fn what_is_wrong_in_it_is_told_with_its_place() {
    for (line, column, reason) in [
        ("limits = { nofile = 5 }", 12, "unknown field `nofile`"),
        ("limits = { open = 'many' }", 19, "is not a number, a size (`\"1GiB\"`) or `\"most\"`"),
        ("limits = { open = -1 }", 19, "-1 is not a number, a size"),
        ("limits = { nice = 20 }", 19, "20 is not a number from -20 to 19"),
        ("limits = { oom = '5' }", 18, "is not a number from -1000 to 1000"),
        ("limits = { umask = '888' }", 20, "is not a mask such as `\"027\"`"),
        ("limits = { umask = 27 }", 20, "27 is not a mask such as"),
        ("limits = { total_memory = 0 }", 27, "0 is not a number of bytes or a size"),
        ("limits = { total_cpu = 0 }", 24, "0 is not a number from 1 to 1000000"),
        ("limits = { total_processes = 1.5 }", 30, "1.5 is not a number from 1 to 4000000"),
        ("listens = ['127.0.0.1:80', '80']", 11, "`80` is no address to listen on"),
        ("sockets = 'systemd'", 11, "unknown variant `systemd`, expected one of `listen-fds`"),
        ("watchdog = 'soon'", 12, "is no span of time"),
        ("writes = 'data'", 10, "invalid type: string"),
        ("overlap = 'no'", 11, "invalid type: string"),
    ] {
        let said = told(Form::Own, &format!("[services.web]\ncommand = 'x'\n{line}\n"));
        let place = format!("error: TOML parse error at line 3, column {column}\n");
        assert!(said.starts_with(&place) && said.contains(reason), "{line}: {said}");
    }
    for (lines, reason) in [
        ("sockets = 'listen-fds'", "`sockets` says how a service comes by its sockets, but `listens` says no address"),
        ("sockets = 'nginx'\nlistens = ['*:80']", "`*:80` is no address to listen on"),
        ("sockets = 'reuse-port'\nlistens = ['unix:/a']", "`unix:/a` cannot be listened on by two processes"),
    ] {
        let said = told(Form::Own, &format!("[services.web]\ncommand = 'x'\n{lines}\n"));
        assert!(said.starts_with(&format!("error: service `web`: {reason}")), "{lines}: {said}");
    }
}

#[test]
fn a_wrong_header_field_is_told_with_its_place() {
    let text = "[services.web]\ncommand = 'x'\nready = { http = 'http://a/', headers = { 'Ho st' = 'x' } }";
    insta::assert_snapshot!(told(Form::Own, text), @r"
    error: TOML parse error at line 3, column 41
      |
    3 | ready = { http = 'http://a/', headers = { 'Ho st' = 'x' } }
      |                                         ^^^^^^^^^^^^^^^^^
    `Ho st` is no name of a header field: it takes letters, digits and `-`, as in `Content-Type`
    ");
}

#[test]
fn everything_that_is_read_can_be_kept() {
    let text = "[jobs.report]\ncommand = 'x'\nat = '@daily'\n[services.web]\ncommand = 'x'\nready = { notify = true }\n\
                live = { http = 'http://a/', headers = { Host = 'b' }, expect_headers = { Allow = '' } }\n";
    let services = reading(Form::Own, text).expect("read").services;
    let json = serde_json::to_string(&services).expect("json");
    assert_eq!(serde_json::from_str::<crate::service::Services>(&json).expect("services"), services);
}
