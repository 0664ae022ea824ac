//! `[data]`: its commands are steps in the surroundings of the part's service.

use insta::assert_snapshot;

use super::fixture::Fixture;
use crate::service::{DataState, DataVerb};

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
    assert!(wrong("\"--dump\"", "\"${.dmp}\"").contains("no option or export called `dmp`"));
    assert!(wrong("\"--dump\"", "\"${.password}\"").contains("everybody on this machine can read a command"));
    assert!(
        wrong("[data]", "[[step]]\nname = \"dump\"\ncommand = [\"/bin/true\"]\n[data]")
            .contains("`dump` is the name of a command of [data]")
    );
}
