//! What a service's processes may use.

use std::fs;
use std::time::Duration;

use jove_install::condition::NeedCondition;
use jove_install::sandbox::Machine;
use jove_install::service::limit::Resource;
use jove_install::service::{Kind, Limits, Need, ServiceSpec};
use jove_install::supervisor::{ServiceState, SwitchOutcome};

use super::{FOREVER, Prefix, named, until};

#[test]
fn limits_and_standing_are_as_said() {
    let prefix = Prefix::new();
    let script =
        format!("ulimit -Hn; ulimit -c; umask; cut -d' ' -f19 /proc/$$/stat; cat /proc/$$/oom_score_adj; {FOREVER}");
    let limits = Limits {
        resources: [(Resource::Open, Some(77)), (Resource::Core, Some(0))].into(),
        nice: Some(7),
        umask: Some(0o027),
        oom: Some(500),
        ..Limits::default()
    };
    prefix.generation(1, vec![ServiceSpec { limits, ..prefix.service("web", &script) }]);
    prefix.commit(1);
    let log = until("its words", || Some(prefix.log("web")).filter(|log| log.lines().count() == 5));
    assert_eq!(log, "77\n0\n0027\n7\n500\n");
}

#[test]
fn a_limit_that_cannot_be_given_is_named() {
    let prefix = Prefix::new();
    let limits = Limits { resources: [(Resource::Open, Some(u64::MAX - 1))].into(), ..Limits::default() };
    prefix.generation(1, vec![ServiceSpec { limits, ..prefix.service("web", FOREVER) }]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(1) else { panic!("committed") };
    assert!(reason.contains("its limit `open` of 18446744073709551614 is above what you may have here"), "{reason}");
}

#[test]
fn a_step_that_takes_too_long_is_ended() {
    let prefix = Prefix::new();
    let step = ServiceSpec {
        kind: Kind::Step { key: "1".into() },
        part: named("web"),
        timeout: Some(Duration::from_millis(300)),
        ..prefix.service("web-init", "echo working; sleep 1000")
    };
    let need = Need { service: named("web-init"), condition: NeedCondition::Succeeded };
    prefix.generation(1, vec![step, ServiceSpec { needs: vec![need], ..prefix.service("web", FOREVER) }]);
    let SwitchOutcome::BackedOut { reason, last_lines } = prefix.switch(1) else { panic!("committed") };
    assert_eq!((reason.as_str(), last_lines), ("web-init: it was not done within 0.3 s", vec!["working".to_owned()]));
    assert!(prefix.tree("web-init").is_empty() && prefix.tree("web").is_empty());
}

#[test]
fn a_thousand_services_run_within_a_soft_limit_of_1024_descriptors() {
    let prefix = Prefix::new();
    let services = (0..1000).map(|number| prefix.service(&format!("s{number}"), "exec sleep 10000")).collect();
    prefix.generation(1, services);
    let run = |command: &str| {
        let program = env!("CARGO_BIN_EXE_jove-install");
        let root = prefix.layout.root().display().to_string();
        let script = format!("ulimit -Sn 1024; exec {program} {command} --root {root}");
        std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .stdin(std::process::Stdio::null())
            .status()
            .expect("run")
    };
    assert!(run("internal-keeper").success());
    prefix.commit(1);
    let status = prefix.client().status().expect("status");
    assert!(status.services.iter().all(|service| service.state == ServiceState::Ready));
    prefix.stop(&[]);
    let status = prefix.client().status().expect("status");
    assert!(status.services.iter().all(|service| service.state == ServiceState::Stopped && service.pid.is_none()));
}

#[test]
fn it_writes_only_where_it_was_said_and_reads_nothing_of_others() {
    if let Err(missing) = &Machine::current().landlock {
        eprintln!("not tried: {missing}");
        return;
    }
    let prefix = Prefix::new();
    fs::create_dir(prefix.path("allowed")).expect("folder");
    fs::write(prefix.path("state.toml"), "secret").expect("write");
    for name in ["shown", "other"] {
        fs::create_dir_all(prefix.path(&format!("var/{name}"))).expect("folder");
        fs::write(prefix.path(&format!("var/{name}/x")), format!("{name}\n")).expect("write");
    }
    let script = format!(
        "echo fine > allowed/a && echo own > var/web/b && cat allowed/a var/web/b; echo no > elsewhere || echo refused; \
         cat state.toml || echo hidden; cat var/shown/x; cat var/other/x || echo not its own; sh -c 'echo no > elsewhere' || echo refused too; echo said > /dev/stdout; {FOREVER}"
    );
    let writes = Some(vec![prefix.path("allowed")]);
    let reads = Some(vec![prefix.path("var/shown")]);
    let folders = vec![prefix.path("var/web")];
    prefix.generation(
        1,
        vec![ServiceSpec { writes, reads, folders, ..prefix.service("web", &format!("exec 2>/dev/null; {script}")) }],
    );
    prefix.commit(1);
    let log = until("its words", || Some(prefix.log("web")).filter(|log| log.lines().count() == 8));
    assert_eq!(log, "fine\nown\nrefused\nhidden\nshown\nnot its own\nrefused too\nsaid\n");
    assert!(!prefix.path("elsewhere").exists());
    // What it is to write must be there.
    let writes = Some(vec![prefix.path("missing")]);
    prefix.generation(2, vec![ServiceSpec { writes, ..prefix.service("web", FOREVER) }]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(2) else { panic!("committed") };
    assert!(reason.contains("missing` cannot be opened to the sandbox"), "{reason}");
}
