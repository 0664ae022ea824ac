//! The guide to a recipe, followed to the letter: its files are written, its commands run, in their order.

use crate::home::{Home, get, has_debian};
use crate::markdown::{blocks, commands, files};

const GUIDE: &str = include_str!("../../docs/recipes.md");

#[test]
fn the_guide_to_a_recipe_holds() {
    let Some(mut home) = has_debian().then(Home::new).flatten() else { return };
    let before = home.outside();
    home.enter("guide");
    for (path, text) in files(GUIDE) {
        home.write(path, text);
    }
    let shell = blocks(GUIDE, "sh");
    let [by_hand, tried] = shell.as_slice() else { panic!("{shell:?}") };
    let project = home.folder().to_owned();
    home.enter("try");
    for words in commands(by_hand) {
        let said = run(&home, &words);
        assert!(!words.contains(&"-vv".to_owned()) || said.contains("HAProxy version"), "{said}");
    }
    home.run(&["wipe", "-p", "dev", "--data", "--yes"]).success();
    home.enter(&project);
    for words in commands(tried) {
        run(&home, &words);
        if words.contains(&"install".to_owned()) {
            serves_both(&home);
        }
    }
    assert_eq!(format!("{:?}", home.processes()), "[]");
    let folders = [project.as_path()];
    let after = folders.iter().fold(home.outside(), |listing, folder| listing.without(folder));
    assert_eq!(before.changes(&after), "");
}

fn run(home: &Home, words: &[String]) -> String {
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    home.run(&words).success().stdout().to_owned()
}

/// Each in turn; and the one that is left, if the other is away.
fn serves_both(home: &Home) {
    let place = ["-p", "dev"];
    let url = home.url(&place, "door");
    home.until("each answers in turn", || {
        let mut said: Vec<String> = (0..4).map(|_| get(&url).text).collect();
        said.sort();
        said == ["one\n", "one\n", "two\n", "two\n"]
    });
    home.run(&["stop", "one", "-p", "dev"]).success();
    home.until("all requests go to the other", || (0..4).all(|_| get(&url).text == "two\n"));
    home.run(&["start", "-p", "dev"]).success();
}
