//! The recipe `cron`, as the person at the command line sees it.

use insta::assert_snapshot;

use crate::life::Life;

fn job(more: &str) -> String {
    format!(
        "[parts.report]\nrecipe = \"cron\"\ncommand = [\"/bin/sh\", \"-c\", \"echo $WHAT; test $WHAT = well\"]\n{more}\n"
    )
}

#[test]
fn a_job_is_installed_run_by_hand_and_told() {
    let life = Life::of(&job("at = \"0 3 29 2 *\"\nvars = { WHAT = \"well\" }"));
    life.install();
    let report = life.service("report");
    assert_eq!((report["kind"].as_str(), report["state"].as_str()), (Some("schedule"), Some("scheduled")), "{report}");
    assert!(report["next"].as_str().is_some_and(|next| next.contains("-02-29T")), "{report}");
    life.run(&["status"]).success();
    assert_snapshot!(life.run(&["runs"]).text(), @r"
    nothing has run yet
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.run(&["run-now", "report", "--quiet"]).success();
    let runs = life.run(&["runs", "report", "--json"]).success().json();
    assert_eq!((runs[0]["number"].as_u64(), runs[0]["ok"].as_bool()), (Some(1), Some(true)), "{runs}");
    assert!(life.run(&["logs", "report"]).success().stdout().ends_with(" well\n"));
    life.define(&job("at = \"0 3 29 2 *\"\nvars = { WHAT = \"ill\" }"));
    life.install();
    assert_snapshot!(life.run(&["run-now", "report", "--quiet"]).text(), @r"
    ------- stderr -------
    error: report: it exited with 1
        | ill

    hint: the whole log: jove-install logs
    ------- exit 1 -------
    ");
    assert_eq!(life.service("report")["state"], "failed");
    life.run(&["status"]).code(1);
    life.run(&["stop"]).success();
    assert_snapshot!(life.run(&["run-now", "report", "--quiet"]).text(), @r"
    ------- stderr -------
    error: nothing is supervised here

    hint: start it: jove-install start
    ------- exit 1 -------
    ");
    life.is_quiet();
}

#[test]
fn an_installation_updates_itself_from_its_project() {
    let of = |word: &str| {
        let job = job(&format!("at = \"0 3 29 2 *\"\nvars = {{ WHAT = \"{word}\" }}"));
        format!("{job}[parts.nightly]\nrecipe = \"upkeep\"\nat = \"0 3 29 2 *\"\nverb = [\"update\"]\n")
    };
    let life = Life::of(&of("well"));
    life.install();
    // Nothing to do is well, too.
    life.run(&["run-now", "nightly", "--quiet"]).success();
    life.define(&of("ill"));
    life.run(&["run-now", "nightly", "--quiet"]).success();
    let history = life.run(&["history", "--json"]).success().json();
    assert_eq!((&history[0]["verb"], &history[0]["status"]), (&"update".into(), &"committed".into()), "{history}");
    life.run(&["run-now", "report"]).code(1);
    // What cannot be read changes nothing, and is told by the run.
    life.define("[parts");
    let said = life
        .run(&["--prefix", &life.prefix().display().to_string(), "-C", "/", "run-now", "nightly", "--quiet"])
        .code(1);
    assert!(said.stderr().contains("jove.toml"), "{}", said.text());
    let runs = life.run(&["-C", "/", "--prefix", &life.prefix().display().to_string(), "runs", "nightly", "--json"]);
    let runs = runs.success().json();
    let mut ends: Vec<_> =
        runs.as_array().unwrap().iter().map(|run| (run["number"].as_u64(), run["ok"] == true)).collect();
    ends.sort_unstable();
    assert_eq!(ends, [(Some(1), true), (Some(2), true), (Some(3), false)], "{runs}");
    life.define(&of("well"));
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn a_job_that_has_no_program_is_not_installed() {
    let life = Life::of("[parts.report]\nrecipe = \"cron\"\nat = \"@yearly\"\ncommand = [\"/nowhere/report\"]\n");
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("finds its program"), "{}", said.text());
    assert_eq!(life.generation(), None);
    // This program itself is wherever it is.
    life.define("[parts.report]\nrecipe = \"cron\"\nat = \"@yearly\"\ncommand = [\"jove-install\", \"--version\"]\n");
    life.install();
    life.run(&["run-now", "report", "--quiet"]).success();
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn what_a_job_keeps_is_dumped_and_loaded() {
    let life = Life::of(
        "[parts.report]\nrecipe = \"cron\"\nat = \"@yearly\"\ncommand = [\"/bin/sh\", \"-c\", \"echo run >> kept; echo x > tmp/x\"]\n",
    );
    life.install();
    let kept = || life.sandbox.read(life.prefix().join("var/report/kept"));
    life.run(&["run-now", "report", "--quiet"]).success();
    let dumped = life.run(&["dump", "report", "--json"]).success().json();
    assert_eq!(dumped["dump"]["parts"]["report"]["proven"], true, "{dumped}");
    life.run(&["run-now", "report", "--quiet"]).success();
    assert_eq!(kept(), "run\nrun\n");
    life.run(&["load", dumped["dump"]["name"].as_str().expect("a name")]).success();
    assert_eq!(kept(), "run\n");
    assert_eq!(life.service("report")["state"], "scheduled");
    life.run(&["run-now", "report", "--quiet"]).success();
    assert_eq!(kept(), "run\nrun\n");
    life.run(&["stop"]).success();
    life.is_quiet();
}

/// A job of a site, which is said as the recipes of applications export it.
fn job_of_site(is_editable: bool) -> String {
    format!(
        r#"
[parts.report]
recipe  = "cron"
at      = "@yearly"
command = ["sh", "report.sh"]
vars    = {{ WHAT = "own" }}
[parts.report.site]
source   = "${{project.folder}}/shop"
editable = {is_editable}
data     = "${{project.folder}}/shop-data"
vars     = {{ COLOUR = "teal", SIZE = "of the site" }}
own_vars = {{ SIZE = "large", WHAT = "of the site" }}
"#
    )
}

#[test]
fn a_job_of_a_site_has_what_the_site_has() {
    let life = Life::of(&job_of_site(false));
    life.sandbox.write("shop/report.sh", "echo $COLOUR, $SIZE, $WHAT, $(cat stock) in ${PWD##*/}\n");
    life.sandbox.write("shop/stock", "7\n");
    life.install();
    let says = || {
        life.run(&["run-now", "report", "--quiet"]).success();
        let log = life.run(&["logs", "report"]).success();
        log.stdout().lines().last().expect("a line").to_owned()
    };
    assert!(says().ends_with("teal, large, own, 7 in app"), "{}", says());
    // What it runs in is a copy, as the site's own is, and follows at the next install.
    life.sandbox.write("shop/stock", "8\n");
    assert!(says().ends_with("own, 7 in app"), "{}", says());
    life.install();
    assert!(says().ends_with("own, 8 in app"), "{}", says());
    life.define(&job_of_site(true));
    life.install();
    life.sandbox.write("shop/stock", "9\n");
    assert!(says().ends_with("own, 9 in shop"), "{}", says());
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn times_that_cannot_be_are_refused_where_they_are_written() {
    for at in ["at = \"61 * * * *\"", "at = \"0 0 30 2 *\"", "at = \"@daily\"\nzone = \"Mars/Olympus\""] {
        let life = Life::of(&job(at));
        let said = life.run(&["plan"]).code(1);
        assert!(said.stderr().contains("jove.toml:") || said.stderr().contains("recipe.toml:"), "{}", said.text());
    }
    let life = Life::of(&job("at = \"61 * * * *\""));
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: `61 * * * *` is no cron expression: number out of bounds; write minute, hour, day, month and weekday, such as `30 3 * * *`
     --> jove.toml:5:6
      |
    5 | at = "61 * * * *"
      |      ^^^^^^^^^^^^
    ------- exit 1 -------
    "#);
}
