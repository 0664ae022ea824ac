//! Parts that are brought as spare: made only where pinning wakes them.

use super::fixture::Fixture;
use crate::name::PartName;
use crate::recipe::EdgeKind;

const ENVIRONMENT: &str = r#"
action = "python"
[options.software]
type = "path"
default = "${own-python}"
[[brings]]
recipe = "tools"
name = "own-python"
spare = true
options = { deb = ["python3"] }
"#;
const TOOLS: &str = "action = 'packages'\n[options.deb]\ntype = 'list'\ndefault = []\n";

fn project(more: &str) -> Fixture {
    Fixture::new(&format!("[parts.one]\nrecipe = 'environment'\n[parts.two]\nrecipe = 'environment'\n{more}"))
        .recipe("environment", ENVIRONMENT)
        .recipe("tools", TOOLS)
        .recipe("other", "[options.tool]\ntype = 'path'\n[[file]]\ncontent = '{{ tool }}'\npath = 'x'\n")
}

#[test]
fn a_spare_part_is_apart_until_it_is_woken() {
    let mut stack = project("[parts.own-python]\ndeb = ['python9']\n").resolve().expect("resolved");
    let name: PartName = "own-python".parse().expect("name");
    assert!(!stack.parts.contains_key(&name) && stack.spare.contains_key(&name));
    assert!(stack.parts["one"].edges.is_empty(), "{:?}", stack.parts["one"].edges);
    assert_eq!(crate::recipe::explain::for_people(&stack.spare[&name].options["deb"].value), "[\"python9\"]");
    let user: PartName = "two".parse().expect("name");
    stack.wake(&name, &user);
    stack.wake(&name, &user);
    assert!(stack.parts.contains_key(&name) && stack.spare.is_empty());
    let edges: Vec<_> = stack.parts[&user].edges.iter().map(|edge| (edge.kind, edge.to.as_str())).collect();
    assert_eq!(edges, [(EdgeKind::Object, "own-python")]);
    assert!(stack.parts["one"].edges.is_empty());
}

#[test]
fn one_that_others_refer_to_is_a_part_as_all() {
    let stack = project("[parts.use]\nrecipe = 'other'\ntool = '${own-python}'\n").resolve().expect("resolved");
    assert!(stack.parts.contains_key("own-python") && stack.spare.is_empty());
    assert!(stack.parts["use"].edges.iter().any(|edge| edge.to.as_str() == "own-python"));
}
