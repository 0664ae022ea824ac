//! `boot`: services come back with the machine. No cron and no systemd of a user run where tests do, so stand-ins for their tools
//! keep what they are told in files; the entry itself is run as cron would run it.

use std::os::unix::fs::PermissionsExt;

use crate::life::Life;

fn tool(life: &Life, name: &str, script: &str) {
    let path = life.sandbox.write(format!("../tools/{name}"), format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n"));
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("mode");
}

fn life_with_tools(tools: &[(&str, &str)]) -> Life {
    let mut life = Life::of(
        "[parts.web]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n",
    );
    for (name, script) in tools {
        tool(&life, name, script);
    }
    // No tools but these: a machine that runs tests may have more.
    life.sandbox.set("PATH", life.sandbox.path("tools").display());
    life.install();
    life
}

const NO_SYSTEMD: (&str, &str) = ("systemctl", "exit 1");
const CRONTAB: (&str, &str) =
    ("crontab", "case $1 in -l) cat \"$HOME/crontab\" 2>/dev/null || exit 1 ;; -) cat > \"$HOME/crontab\" ;; esac");

#[test]
fn a_line_of_the_crontab_starts_services_and_goes_with_them() {
    let life = life_with_tools(&[NO_SYSTEMD, CRONTAB]);
    let crontab = || fs_err::read_to_string(life.sandbox.home().join("crontab")).unwrap_or_default();
    life.sandbox.write(life.sandbox.home().join("crontab"), "# mine\n0 1 * * * true\n");
    life.run(&["boot", "status"]).code(1);
    for _ in 0..2 {
        let said = life.run(&["boot", "enable", "--json"]).success().json();
        assert_eq!(said["rung"], "crontab", "{said}");
    }
    let text = crontab();
    assert!(text.starts_with("# mine\n0 1 * * * true\n@reboot ") && text.lines().count() == 3, "{text}");
    life.run(&["boot", "status"]).success();
    life.run(&["stop"]).success();
    life.is_quiet();
    // As cron runs it.
    let line = text.lines().last().expect("a line").strip_prefix("@reboot ").expect("its command").replace("\\%", "%");
    let run = || {
        let mut command = life.sandbox.other("/bin/sh");
        command.args(["-c", &line]);
        life.sandbox.finish(command, b"")
    };
    run().success();
    assert_eq!(life.service("web")["state"], "ready");
    life.run(&["boot", "disable"]).success();
    assert_eq!(crontab(), "# mine\n0 1 * * * true\n");
    life.run(&["boot", "enable"]).success();
    life.run(&["wipe", "--data", "--yes"]).success();
    assert_eq!(crontab(), "# mine\n0 1 * * * true\n");
    // One that was left all the same does nothing where the prefix is gone.
    run().code(1);
    life.is_quiet();
    assert!(!life.prefix().exists());
}

#[test]
fn a_unit_is_made_where_systemd_lingers() {
    let log = "echo \"$*\" >> \"$HOME/systemctl.log\"";
    let life = life_with_tools(&[("systemctl", log), ("loginctl", "echo yes"), CRONTAB]);
    let said = life.run(&["boot", "enable", "--json"]).success().json();
    assert_eq!((said["rung"].as_str(), said["missing"].as_array().map(Vec::len)), (Some("systemd"), Some(0)), "{said}");
    let unit = said["entry"].as_str().expect("a path").to_owned();
    let text = fs_err::read_to_string(&unit).expect("a unit");
    let script = life.prefix().join("boot.sh").display().to_string();
    for expected in [format!("ConditionPathExists={script}"), format!("ExecStart=/bin/sh \"{script}\" --foreground")] {
        assert!(text.contains(&expected), "{text}");
    }
    let asked = fs_err::read_to_string(life.sandbox.home().join("systemctl.log")).expect("a log");
    assert!(asked.contains("--user daemon-reload\n") && asked.contains("--user enable jove-install-"), "{asked}");
    assert!(!life.sandbox.home().join("crontab").exists());
    life.run(&["wipe", "--yes"]).success();
    assert!(!std::path::Path::new(&unit).exists());
}

#[test]
fn what_is_missing_is_said() {
    let life = life_with_tools(&[NO_SYSTEMD]);
    let said = life.run(&["boot", "enable"]).code(1);
    for expected in ["nothing on this machine would start services", "no systemd runs for you", "there is no `crontab`"]
    {
        assert!(said.stderr().contains(expected), "{}", said.text());
    }
    assert!(!life.prefix().join("boot.sh").exists());
    // Without lingering it is better than nothing, and said.
    tool(&life, "systemctl", "true");
    tool(&life, "loginctl", "echo no");
    let said = life.run(&["boot", "enable"]).success();
    assert!(said.stdout().contains("starts when you log in, not with the machine"), "{}", said.text());
    life.run(&["boot", "disable"]).success();
}

#[test]
fn doctor_says_whether_services_come_back_after_a_reboot() {
    let life = life_with_tools(&[NO_SYSTEMD]);
    let found = || {
        let checks = life.run(&["doctor", "--production", "--json"]).either(&[0, 1]).json();
        let check = checks.as_array().expect("a list").iter().find(|check| check["subject"] == "reboot").cloned();
        let check = check.unwrap_or_else(|| panic!("{checks}"));
        ["verdict", "finding"].map(|key| check[key].as_str().expect("a text").to_owned())
    };
    let [verdict, finding] = found();
    assert_eq!(verdict, "missing");
    // Where nothing can be entered, the command alone is of no use.
    for expected in ["jove-install boot enable;", "no systemd runs for you", "there is no `crontab`"] {
        assert!(finding.contains(expected), "{finding}");
    }
    tool(&life, CRONTAB.0, CRONTAB.1);
    let [verdict, finding] = found();
    assert!(verdict == "missing" && !finding.contains("`crontab`"), "{finding}");
    life.run(&["boot", "enable"]).success();
    assert_eq!(found(), ["good", "services start with the machine, by your crontab"]);
    life.run(&["boot", "disable"]).success();
    tool(&life, "systemctl", "true");
    tool(&life, "loginctl", "echo no");
    fs_err::remove_file(life.sandbox.path("tools/crontab")).expect("removed");
    life.run(&["boot", "enable"]).success();
    let [verdict, finding] = found();
    assert!(verdict == "limited" && finding.contains("`loginctl enable-linger`"), "{finding}");
    tool(&life, "loginctl", "echo yes");
    assert_eq!(found(), ["good", "services start with the machine, by your systemd"]);
}
