//! A cache with no room for what is made of its files.

use std::sync::{Arc, Mutex};

use jove_install::progress::{Event, Report};

use super::*;

/// Remembers what was said.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Report for Heard {
    fn report(&self, event: Event) {
        if let Event::Note(text) = event {
            self.0.lock().unwrap().push(text);
        }
    }
}

#[test]
fn an_environment_is_the_same_where_nothing_of_it_can_be_kept() {
    let Some(mut bench) = Bench::new() else { return };
    let inputs = gather(&bench.inputs(&["gunicorn"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let recipe = bench.recipe(&pins, &inputs);
    let target = bench.folder.path().join("store/0123-env");
    build(&bench.kit(), &target, &recipe).unwrap();
    let first = listing(&target);
    std::fs::remove_dir_all(&target).unwrap();
    // Files are where the folders would be: not even root can write there.
    for folder in ["bytecode", "contents", "unpacked", "tmp"] {
        let folder = bench.cache.root().join(folder);
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "").unwrap();
    }
    let heard = Arc::new(Heard::default());
    bench.report = heard.clone();
    build(&bench.kit(), &target, &recipe).unwrap();
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
    let heard = heard.0.lock().unwrap();
    let told = heard.iter().filter(|text| text.starts_with("what can be made again is not kept"));
    assert_eq!(told.count(), 1, "{heard:?}");
    // What must be written somewhere says where that would be.
    let refused = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap_err().to_string();
    assert!(refused.contains("/cache/tmp: ") && refused.contains("point XDG_CACHE_HOME"), "{refused}");
}
