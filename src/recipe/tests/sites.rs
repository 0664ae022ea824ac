//! Sites behind a web server, and services that parts ask for by name.

use insta::assert_snapshot;

use super::fixture::Fixture;
use super::value;
use crate::recipe::EdgeKind;

const WEB: &str = "[options.serves]\ntype = 'sites'\ndefault = []\n[options.base]\ntype = 'string'\ndefault = 'http://h'\n\
    [[file]]\ncontent = '{% for site in serves %}{{ site.host }}{{ site.at }} {{ site.address }};{% endfor %}'\npath = 'conf'\n\
    [[service]]\ncommand = ['/bin/web']\n[exports]\nurl = '${.base}/'\n";
const APP: &str = "[options.domain]\ntype = 'string'\n[options.at]\ntype = 'string'\ndefault = '/'\n\
    [options.public]\ntype = 'string'\ndefault = ''\n[options.services]\ntype = 'list'\ndefault = []\n\
    [[brings]]\nrecipe = 'base'\nname = '${.name}-base'\nservice = 'sql'\noptions = { owner = '${.name}' }\n\
    [[brings]]\nrecipe = 'cache'\nservice = 'cache'\n\
    [[service]]\ncommand = ['/bin/app']\nvars = { SQL = '${.services.sql.url}', CACHE = '${.services.cache.url}' }\n\
    [exports]\nsite = { host = '${.domain:-}', at = '${.at}', address = 'unix:${.run}/sock' }\n";
/// A database of a site, on a server.
const BASE: &str = "[options.owner]\ntype = 'string'\ndefault = 'nobody'\n[options.password]\ntype = 'secret'\ndefault = 'generate'\n\
    [[brings]]\nrecipe = 'server'\n[[step]]\nname = 'create'\ncommand = ['/bin/create']\n\
    [exports]\nurl = 'sql://${.owner}:${.password}@${.services.server.socket}'\n";
const SERVER: &str = "[[service]]\ncommand = ['/bin/server']\n[exports]\nsocket = '${.run}'\n";
const CACHE: &str = "[[service]]\ncommand = ['/bin/cache']\n[exports]\nurl = 'cache:${.name}'\n";

fn fixture(project: &str) -> Fixture {
    let fixture = Fixture::new(project).recipe("web", WEB).recipe("app", APP).recipe("base", BASE);
    fixture.recipe("server", SERVER).recipe("cache", CACHE)
}

#[test]
fn every_site_is_served_and_both_read_each_other() {
    let project = "[parts.web]\nrecipe = 'web'\nserves = '*'\n[parts.one]\nrecipe = 'app'\npublic = '${web.url}'\n\
        [parts.two]\nrecipe = 'app'\nat = '/two/'\npublic = '${web.url}two/'\n[parts.three]\nrecipe = 'app'\ndomain = 'three.example'\n";
    let stack = fixture(project).resolve().expect("stack");
    let content = stack.parts["web"].files[0].content.to_string();
    assert_snapshot!(content, @"/ unix:/home/u/jove/p/run/one/sock;three.example/ unix:/home/u/jove/p/run/three/sock;/two/ unix:/home/u/jove/p/run/two/sock;");
    assert_eq!(value(&stack, "two.public"), r#""http://h/two/""#);
    // Edges of value alone: neither is built or started after the other.
    assert!(stack.parts["web"].edges.iter().all(|edge| edge.kind == EdgeKind::Value));
    assert_eq!(stack.parts["web"].edges.len(), 3);
    assert!(stack.parts["one"].edges.iter().all(|edge| edge.kind == EdgeKind::Value && edge.to.as_str() == "web"));
}

#[test]
fn sites_are_chosen_by_name() {
    let project =
        "[parts.web]\nrecipe = 'web'\nserves = ['two']\n[parts.one]\nrecipe = 'app'\n[parts.two]\nrecipe = 'app'\n";
    let stack = fixture(project).resolve().expect("stack");
    assert_eq!(stack.parts["web"].files[0].content.to_string(), "/ unix:/home/u/jove/p/run/two/sock;");
    let wrong = "[parts.web]\nrecipe = 'web'\nserves = ['tow', 'web', '${vars.X}', 3]\n[parts.two]\nrecipe = 'app'\n";
    assert_snapshot!(fixture(wrong).wrong(), @"
    there is no part called `tow`
      jove.toml:3:11 'tow' <>
      hint: did you mean `two`?
    part `web` (recipe `web`) has no option or export called `site`
      jove.toml:3:18 'web' <>
    `${vars.x}` decides which sites there are, so it must be the plain name of a part
      jove.toml:3:25 '${vars.X}' <>
    this must be the name of a part
      jove.toml:3:38 3 <>
    ");
}

#[test]
fn two_sites_at_one_place_name_both() {
    let project = "[parts.web]\nrecipe = 'web'\nserves = '*'\n[parts.one]\nrecipe = 'app'\nat = '/x'\n\
        [parts.two]\nrecipe = 'app'\nat = '/x/'\n[parts.three]\nrecipe = 'app'\ndomain = 'a.example'\n[parts.four]\nrecipe = 'app'\ndomain = 'A.example'\n";
    assert_snapshot!(fixture(project).wrong(), @r#"
    `web` would serve two sites at `/x/`: `one` and `two`
      jove.toml:6:6 '/x' <one>
      jove.toml:9:6 '/x/' <the other>
      hint: give one of them another path, `at = "/two/"`, or another `domain`
    `web` would serve two sites at `/` of a.example: `four` and `three`
      jove.toml:15:10 'A.example' <one>
      jove.toml:12:10 'a.example' <the other>
      hint: give one of them another path, `at = "/three/"`, or another `domain`
    "#);
}

#[test]
fn services_by_name_are_one_server_and_a_database_each() {
    let project = "[parts.one]\nrecipe = 'app'\nservices = ['sql', 'cache']\n[parts.two]\nrecipe = 'app'\nservices = ['sql']\n[parts.three]\nrecipe = 'app'\n";
    let stack = fixture(project).resolve().expect("stack");
    let names: Vec<&str> = stack.parts.keys().map(crate::name::PartName::as_str).collect();
    assert_eq!(names, ["cache", "one", "one-base", "server", "three", "two", "two-base"]);
    let vars = |part: &str| {
        let vars = stack.parts[part].services[0].vars.iter();
        let vars = vars.filter(|(name, _)| ["SQL", "CACHE"].contains(&name.as_str()));
        vars.map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(vars("one"), "CACHE=cache:cache SQL=sql://one:secret:one-base.password@v1@/home/u/jove/p/run/server");
    assert_eq!(vars("two"), "SQL=sql://two:secret:two-base.password@v1@/home/u/jove/p/run/server");
    assert_eq!(vars("three"), "");
    // The database is there before the site, the server before the database.
    let needs = |part: &str| {
        let needs = stack.parts[part].services[0].needs.iter();
        needs.map(|need| format!("{} {:?}", need.service, need.condition)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(needs("one"), "cache Ready, one-base-create Succeeded");
    assert_eq!(needs("one-base"), "server Ready");
    assert_eq!(stack.parts["one-base"].brought_by.as_ref().map(ToString::to_string).as_deref(), Some("one"));
}

#[test]
fn several_candidates_must_be_chosen_from() {
    let two = "[parts.db1]\nrecipe = 'server'\n[parts.db2]\nrecipe = 'server'\n[parts.one]\nrecipe = 'app'\n";
    assert_snapshot!(fixture(&format!("{two}services = ['sql']")).wrong(), @r#"
    `one-base` needs one part of recipe `server`, and there are several
      jove.toml:5:8 one <needed here>
      jove.toml:1:8 db1 <one>
      jove.toml:3:8 db2 <another>
      hint: choose one: services = ["sql:db1"]
    "#);
    let stack = fixture(&format!("{two}services = ['sql:db2']")).resolve();
    let stack = stack.expect("stack");
    assert!(value(&stack, "one-base.url").ends_with("/run/db2\""), "{}", value(&stack, "one-base.url"));
    assert_snapshot!(fixture(&format!("{two}services = ['sql:db3', 'sqll']")).wrong(), @"
    there is no part `db3` of recipe `server`
      jove.toml:7:13 'sql:db3' <chosen here>
      hint: did you mean `db1`?
    recipe `app` knows no service `sqll`: there are sql, cache
      jove.toml:7:24 'sqll' <>
      hint: did you mean `sql`?
    ");
}
