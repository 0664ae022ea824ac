//! Parts with packages: the provider is chosen by a policy, kept, and said; what it gives has the same names for all.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::life::Life;

/// A server of this machine, in the sandbox's own `bin`.
fn program(life: &Life, version: &str) {
    let script =
        format!("#!/bin/sh\ncase \"$1\" in --version) echo tick {version};; *) while :; do sleep 1000; done;; esac\n");
    let path = life.sandbox.write("tools/tick", script);
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("mode");
}

fn life(definition: &str) -> Life {
    let mut life = Life::of(definition);
    let tools = life.sandbox.folder().join("tools");
    let path = format!("{}:/usr/bin:/bin", tools.display());
    life.sandbox.set("PATH", path);
    program(&life, "1.4.2");
    life
}

const TICKER: &str = "summary = 'a ticker'\n\
    [options.software]\ntype = 'path'\ndefault = '${tick-packages}'\ndoc = 'Its program.'\n\
    [[brings]]\nrecipe = 'packages'\nname = 'tick-packages'\noptions = { host = ['tick >=1,<2'], programs = ['tick'] }\n\
    [[service]]\ncommand = ['${.software}/bin/tick', '${.name}']\n";

#[test]
fn a_recipe_brings_its_packages_once_and_the_part_can_be_set() {
    let life = life("[parts.one]\nrecipe = 'ticker'\n[parts.two]\nrecipe = 'ticker'\n");
    life.sandbox.write("recipes/ticker/recipe.toml", TICKER);
    life.install();
    assert_snapshot!(life.run(&["--jobs", "1", "graph"]).stdout(), @"
    app in profile dev
    one (ticker)
    └── tick-packages (packages) [object]
    two (ticker)
    └── tick-packages (packages) [object]
    ");
    assert_eq!(life.run(&["status"]).code(0).stdout().matches("ready").count(), 2);
    assert_snapshot!(life.run(&["plan"]).stdout(), @"nothing to do: all 3 parts are as wished");
}

#[test]
fn a_change_of_the_machines_program_is_seen_and_told() {
    let life = life("[parts.tools]\nrecipe = 'packages'\nhost = ['tick >=1']\nprograms = ['tick']\n");
    life.install();
    program(&life, "1.5.0");
    let planned = life.run(&["plan"]).success();
    assert!(planned.stdout().contains("1.4.2") && planned.stdout().contains("1.5.0"), "{}", planned.text());
    life.install();
    assert_eq!(life.run(&["verify"]).code(0).stdout().matches("altered").count(), 0);
}

#[test]
fn a_provider_that_cannot_serve_is_told_with_what_to_do() {
    let life = life("[parts.tools]\nrecipe = 'packages'\nhost = ['tick >=2']\n");
    assert_snapshot!(life.run(&["plan"]).text(), @"
    ------- stderr -------
    error: the packages of `tools`
      no provider can be reached:
        host: this machine has no `tick >=2`
        [WORK]/tools/tick is 1.4.2
    install it, or take another provider
    ------- exit 1 -------
    ");
    life.define("[parts.tools]\nrecipe = 'packages'\nhost = ['tick']\nprograms = ['tock']\n");
    assert_snapshot!(life.run(&["install", "--quiet"]).text(), @"
    ------- stderr -------
    error: a part could not be built; nothing was changed
      tools: there is no program `tock` in what host gave (did you mean `tick`?); correct `programs`, or add the package that has it

    hint: what was built is kept: the next run goes on from there
    ------- exit 1 -------
    ");
    life.define("[parts.tools]\nrecipe = 'packages'\nhost = ['tick']\nprovider = 'deb'\n");
    assert_snapshot!(life.run(&["plan"]).text(), @"
    ------- stderr -------
    error: the packages of `tools`
      it asks for the provider `deb`, but says nothing to take from there: give it `deb = …`, or one of `host`
    ------- exit 1 -------
    ");
}

/// Why a provider serves is told as it was decided, long after the lock has its pins.
#[test]
fn explain_tells_why_a_provider_was_chosen_and_others_not() {
    let parts = "[parts.tools]\nrecipe = 'packages'\nhost = ['tick']\nconda = ['tick']\nconda_channels = ['/nowhere/channel']\n";
    let life = life(parts);
    let provider = || life.run(&["explain", "tools", "--json"]).success().json()["provider"].clone();
    assert_eq!(provider(), serde_json::Value::Null, "nothing is decided yet");
    life.install();
    let first = provider();
    assert_eq!(first["provider"], "host", "{first}");
    assert!(
        first["reason"].as_str().is_some_and(|why| why.starts_with("the first in order that can be reached")),
        "{first}"
    );
    assert_eq!((&first["passed"][0]["provider"], first["passed"].as_array().map(Vec::len)), (&"conda".into(), Some(1)));
    let said = life.run(&["explain", "tools"]).success();
    assert!(said.stdout().contains("\n  provider host (the first in order"), "{}", said.stdout());
    assert!(said.stdout().contains("\n    not conda: "), "{}", said.stdout());
    // Now the lock decides, which is no reason to forget.
    life.run(&["install", "--quiet", "--force", "tools"]).success();
    assert_eq!(provider(), first);
    life.define(&format!("{parts}provider = 'host'\n"));
    assert_eq!(provider()["reason"], "the part asks for it");
    life.install();
    life.define(parts);
    life.install();
    assert_eq!(provider()["reason"], "jove.lock has its pins");
}
