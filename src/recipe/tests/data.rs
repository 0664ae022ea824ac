//! `[data]`: its commands are steps in the surroundings of the part's service.

use insta::assert_snapshot;

use super::fixture::Fixture;
use crate::service::{DataState, DataVerb, FormatRule, Reads};

const KEEPER: &str = r#"
[options.password]
type = "secret"
default = "generate"
[[file]]
content = "x"
path = "load.sh"
[[service]]
command = ["/bin/keep"]
folder = "${.run}"
vars = { WORD = "${.password}", PLACE = "${.data}" }
folders = ["${.data}"]
[data]
folders = ["${.data}"]
version = "1"
dump = ["/bin/keep", "--dump"]
load = { command = ["/bin/sh", "${.object}/load.sh"], while = "stopped", vars = { PLACE = "elsewhere" } }
"#;

#[test]
fn commands_see_what_the_service_sees() {
    let stack = Fixture::new("[parts.db]\nrecipe = \"keeper\"\n").recipe("keeper", KEEPER).resolve().expect("resolved");
    let part = &stack.parts["db"];
    let [dump, load] = part.data_commands.as_slice() else { panic!("{:?}", part.data_commands) };
    assert_eq!((dump.verb, dump.during), (DataVerb::Dump, DataState::Ready));
    assert_eq!((load.verb, load.during), (DataVerb::Load, DataState::Stopped));
    let service = &part.services[0];
    assert_eq!(dump.spec.name.as_str(), "db-dump");
    assert_eq!((&dump.spec.vars, &dump.spec.folder), (&service.vars, &service.folder));
    assert_eq!(dump.spec.folders, service.folders);
    assert_eq!(load.spec.vars["PLACE"].as_plain(), Some("elsewhere"));
    assert!(load.spec.vars["WORD"].is_secret());
    let command: Vec<String> = load.spec.command.iter().map(ToString::to_string).collect();
    assert_snapshot!(command.join(" "), @"/bin/sh ${db}/load.sh");
    assert_eq!(part.services.len(), 1, "they are no services");
}

#[test]
fn the_software_of_data_is_said_in_one_word_or_several() {
    for (said, of, digits, reads) in [
        ("format_of = \"keep\"", vec!["keep"], 1, Reads::Older),
        ("format_of = [\"keep\", \"keeper\"]\ndigits = 2\nreads = \"same\"", vec!["keep", "keeper"], 2, Reads::Same),
    ] {
        let text = KEEPER.replace("version = ", &format!("{said}\nversion = "));
        let stack = Fixture::new("[parts.db]\nrecipe = \"keeper\"\n").recipe("keeper", &text).resolve();
        let rule = stack.expect("resolved").parts["db"].data_format.clone();
        let of = of.into_iter().map(str::to_owned).collect();
        assert_eq!(rule, Some(FormatRule { of, digits, reads }), "{said}");
    }
}

#[test]
fn what_they_say_wrong_is_told() {
    let wrong = |from: &str, to: &str| {
        let text = KEEPER.replace(from, to);
        assert_ne!(text, KEEPER);
        Fixture::new("[parts.db]\nrecipe = \"keeper\"\n").recipe("keeper", &text).wrong()
    };
    assert!(wrong("\"stopped\"", "\"stoped\"").contains("`stoped` is no state of services: there are ready, stopped"));
    assert!(wrong("while =", "whle =").contains("`load` of [data] knows no `whle`"));
    assert!(
        wrong("command = [\"/bin/sh\", \"${.object}/load.sh\"], ", "").contains("`load` of [data] has no `command`")
    );
    assert!(
        wrong("version", "reads = \"same\"\nversion").contains("`reads` of [data] says nothing without `format_of`")
    );
    let format = |more: &str| wrong("version", &format!("format_of = \"keep\"\n{more}\nversion"));
    assert!(format("reads = \"newer\"").contains("`newer` is no word for what is read: there are same, older"));
    assert!(format("digits = 0").contains("`digits` of [data] must be a whole number from 1 to 4"));
    assert!(
        wrong("version", "format_of = []\nversion").contains("`format_of` of [data] must be a text or a list of texts")
    );
    assert!(wrong("\"--dump\"", "\"${.dmp}\"").contains("no option or export called `dmp`"));
    assert!(wrong("\"--dump\"", "\"${.password}\"").contains("everybody on this machine can read a command"));
    assert!(
        wrong("[data]", "[[step]]\nname = \"dump\"\ncommand = [\"/bin/true\"]\n[data]")
            .contains("`dump` is the name of a command of [data]")
    );
}
