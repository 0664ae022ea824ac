//! [`Browser`]: headless Chromium of Debian's packages, installed by the program that is tested.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::home::Home;

const PERSON: &str = include_str!("production/browser.py");

/// What the common cache holds for it, too.
pub const BROWSER: &str = r#"
name = "browser"
[parts.browser]
recipe      = "packages"
provider    = "deb"
deb         = ["chromium-headless-shell"]
deb_without = ["x11-utils", "xdg-utils"]
deb_cures   = { "usr/bin/chromium-headless-shell" = ["/usr/lib/", "@OBJECT@/usr/lib/"] }
programs    = ["chromium-headless-shell"]
"#;

/// A browser beside the other things of a home.
#[derive(Debug)]
pub struct Browser {
    person: PathBuf,
    program: String,
}

impl Browser {
    /// Installs it, as a project of its own.
    pub fn install(home: &Home) -> Self {
        home.fetch_once(BROWSER);
        home.write("../browser/jove.toml", BROWSER);
        let person = home.write("../browser/browser.py", PERSON);
        let project = person.parent().unwrap().display().to_string();
        let place = ["-C", project.as_str(), "-p", "demo"];
        home.run(&place).success();
        let find = ["run", "browser", "--", "sh", "-c", "command -v chromium-headless-shell"];
        let program = home.run(&[&place, &find[..]].concat()).success().stdout().trim().to_owned();
        assert!(program.starts_with('/') && !program.starts_with("/usr"), "the one just installed: {program}");
        Self { person, program }
    }

    /// What a person sees who does these steps, each in `browser.py`'s words, by the Python of the part `env`.
    #[track_caller]
    pub fn does(&self, home: &Home, place: &[&str], certificate: &Path, steps: &[&str]) -> Vec<Value> {
        let certificate = certificate.display().to_string();
        let person = self.person.display().to_string();
        let command = ["--", "python", person.as_str(), self.program.as_str(), certificate.as_str()];
        let said = home.run(&[&["run", "env"], place, &command, steps].concat()).success();
        said.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Takes it away with all that it brought.
    pub fn remove(self, home: &Home) {
        let project = self.person.parent().unwrap();
        home.run(&["-C", project.to_str().unwrap(), "wipe", "-p", "demo", "--data", "--yes"]).success();
        std::fs::remove_dir_all(project).unwrap();
    }
}
