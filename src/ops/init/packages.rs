//! What the environment of a project gets: what the project says itself, wherever it says so, else its framework by name.

use std::path::Path;

use crate::ops::init::names;
use crate::provider::conda::wanted::Wanted;
use crate::pypi::UvLock;

/// The files of conda's users.
const ENVIRONMENTS: [&str; 2] = ["environment.yml", "environment.yaml"];

/// Requirement files by their usual names: versions that were tried before wishes, what production takes before what all take.
const FILES: [&str; 5] = [
    "requirements-lock.txt",
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
];

/// What files beside these are called that are not for the site itself.
const APART: [&str; 8] = ["ci", "dev", "develop", "development", "doc", "lint", "local", "test"];

/// The longest line of a list; a longer list has a line for each of its words.
const WIDTH: usize = 100;

/// The packages of a part of the recipe `python`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packages {
    /// Which Python, where something says so.
    python: Option<String>,
    /// Of conda channels, the interpreter among them.
    conda: Vec<String>,
    /// Of the Python package index.
    pypi: Vec<String>,
    /// Folders that are used in place.
    editable: Vec<String>,
    /// What there is to say about them.
    remarks: Vec<String>,
}

impl Packages {
    /// Looks for them in a project's folder.
    pub(super) fn find(folder: &Path, kind: &str) -> Self {
        let file = ENVIRONMENTS.into_iter().find(|name| folder.join(name).is_file());
        let conda: Vec<String> = file.map(|name| format!("--file {name}")).into_iter().collect();
        // One that cannot be read is written all the same: what is wrong in it is said where it is installed.
        let wanted = Wanted::read(&conda, folder).unwrap_or_default();
        let mut packages = Self { conda, ..Self::default() };
        if is_package(folder) {
            packages.editable.push(".".to_owned());
        }
        // Its `pip` section comes with it.
        if !wanted.pip.is_empty() {
            return packages;
        }
        match read(&folder.join("uv.lock")).and_then(|text| UvLock::read(&text)).filter(|lock| !lock.pins.is_empty()) {
            Some(lock) => packages.take(lock),
            None => packages.pypi = requirements(folder, kind, &wanted),
        }
        packages
    }

    /// Takes over what uv decided: its lock is not read again.
    fn take(&mut self, lock: UvLock) {
        self.remarks.push("the versions of uv.lock; when it changes, so must these".to_owned());
        if !lock.others.is_empty() {
            let others = lock.others.join(", ");
            self.remarks
                .push(format!("not among them, for they come from no index: {others}; name clones in `editable`"));
        }
        // conda's interpreter is the one that its file says.
        self.python = lock.python.filter(|_| self.conda.is_empty());
        self.pypi = lock.pins;
        self.editable.extend(lock.folders);
    }

    /// The lines of the part.
    pub(super) fn lines(&self) -> String {
        let python = self.python.as_ref().map(|range| format!("python = {}\n", toml::Value::from(range.as_str())));
        let mut text = python.unwrap_or_default();
        if !self.conda.is_empty() {
            text += &line("conda ", &self.conda);
        }
        text.extend(self.remarks.iter().map(|remark| format!("# {remark}\n")));
        if !self.pypi.is_empty() || self.conda.is_empty() {
            text += &line("pypi  ", &self.pypi);
        }
        if !self.editable.is_empty() {
            text += &line("editable", &self.editable);
        }
        text
    }
}

fn line(option: &str, list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|one| toml::Value::from(one.as_str()).to_string()).collect();
    let text = format!("{option} = [{}]\n", quoted.join(", "));
    if text.chars().count() <= WIDTH {
        return text;
    }
    format!("{option} = [\n{}]\n", quoted.iter().map(|one| format!("    {one},\n")).collect::<String>())
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The project's own list, else the framework by name, unless conda brings that.
fn requirements(folder: &Path, kind: &str, conda: &Wanted) -> Vec<String> {
    let files = requirement_files(folder);
    if !files.is_empty() {
        return files.into_iter().map(|file| format!("-r {file}")).collect();
    }
    let declared = declared(folder);
    if !declared.is_empty() {
        return declared;
    }
    let framework = match kind {
        "Django" => Some("django"),
        "Flask" => Some("flask"),
        "Pyramid" | "Pyramid (PasteDeploy)" => Some("pyramid"),
        "PyWPS" => Some("pywps"),
        _ => None,
    };
    let is_brought = |name: &str| conda.packages.iter().any(|package| conda_name(package) == name);
    framework.filter(|name| !is_brought(name)).map(str::to_owned).into_iter().collect()
}

/// The first of the usual ones; else all in their folder that may be for the site.
fn requirement_files(folder: &Path) -> Vec<String> {
    if let Some(file) = FILES.into_iter().find(|file| folder.join(file).is_file()) {
        return vec![file.to_owned()];
    }
    let is_apart = |name: &str| name.split(['-', '_', '.']).any(|word| APART.contains(&word.trim_end_matches('s')));
    let files = names(&folder.join("requirements"), ".txt").into_iter().filter(|name| !is_apart(name));
    files.map(|name| format!("requirements/{name}")).collect()
}

/// `conda-forge::flask >=3` → `flask`.
fn conda_name(package: &str) -> &str {
    let package = package.rsplit("::").next().unwrap_or(package);
    package.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).next().unwrap_or(package)
}

/// What `pyproject.toml` declares for a project that is no package: a package brings its own.
fn declared(folder: &Path) -> Vec<String> {
    let project = pyproject(folder);
    if project.contains_key("build-system") {
        return Vec::new();
    }
    let list = project.get("project").and_then(|project| project.get("dependencies")?.as_array());
    list.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// Whether a project is a package, with what it needs declared by itself.
fn is_package(folder: &Path) -> bool {
    pyproject(folder).contains_key("build-system") || folder.join("setup.py").is_file()
}

fn pyproject(folder: &Path) -> toml::Table {
    toml::from_str(&read(&folder.join("pyproject.toml")).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYPROJECT: (&str, &str) =
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['flask >=3', 'redis']\n");

    /// What a Flask project of these files gets.
    fn lines(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().expect("folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, text).expect("file");
        }
        let lines = Packages::find(folder.path(), "Flask").lines();
        toml::from_str::<toml::Table>(&lines).expect("valid TOML");
        lines
    }

    #[test]
    fn packages_come_from_where_they_are_declared() {
        assert_eq!(lines(&[]), "pypi   = [\"flask\"]\n");
        assert_eq!(lines(&[PYPROJECT]), "pypi   = [\"flask >=3\", \"redis\"]\n");
        assert_eq!(lines(&[PYPROJECT, ("requirements.txt", "")]), "pypi   = [\"-r requirements.txt\"]\n");
        let package =
            ("pyproject.toml", "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = ['y']\n");
        assert_eq!(
            lines(&[package, ("requirements.txt", "")]),
            "pypi   = [\"-r requirements.txt\"]\neditable = [\".\"]\n"
        );
    }

    #[test]
    fn what_conda_brings_is_taken_over_whole() {
        let conda = |dependencies: &str| format!("name: x\ndependencies:\n  - python=3.11\n{dependencies}");
        for (name, dependencies, expected) in [
            ("environment.yml", "  - flask >=3\n  - gdal\n", ""),
            ("environment.yaml", "  - conda-forge::flask\n", ""),
            // A `pip` section comes with the file.
            ("environment.yml", "  - gdal\n  - pip:\n      - flask\n      - \"redis>=5\"\n  - numpy\n", ""),
            ("environment.yml", "  - gdal\n  - flask-cors\n", "pypi   = [\"flask\"]\n"),
        ] {
            let expected = format!("conda  = [\"--file {name}\"]\n{expected}");
            assert_eq!(lines(&[(name, &conda(dependencies))]), expected, "{dependencies}");
        }
        let both = [("environment.yml", "dependencies: [gdal]\n"), PYPROJECT];
        assert_eq!(lines(&both), "conda  = [\"--file environment.yml\"]\npypi   = [\"flask >=3\", \"redis\"]\n");
        let wrong = [("environment.yml", "dependencies: 7\n"), PYPROJECT];
        assert!(lines(&wrong).starts_with("conda  = [\"--file environment.yml\"]\n"));
    }

    #[test]
    fn versions_that_were_locked_are_taken_over() {
        let index = "source = { registry = \"https://example.org/simple\" }";
        let package = |name: &str, version: &str, source: &str, needs: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}\ndependencies = [{needs}]\n\n")
        };
        let own = package("x", "0.1", "source = { virtual = \".\" }", "{ name = \"flask\" }, { name = \"tally\" }");
        let lock = format!(
            "version = 1\nrequires-python = \">=3.11\"\n\n{}{}{}{own}",
            package("click", "8.1.8", index, ""),
            package("flask", "3.0.0", index, "{ name = \"click\" }"),
            package("tally", "1.0", "source = { git = \"https://example.org/tally.git#0123\" }", ""),
        );
        let others = [PYPROJECT, ("requirements.txt", "flask"), ("requirements-lock.txt", "flask==2")];
        let told = "# the versions of uv.lock; when it changes, so must these\n\
                    # not among them, for they come from no index: tally; name clones in `editable`\n\
                    pypi   = [\"click==8.1.8\", \"flask==3.0.0\"]\n";
        let with = |file| lines(&[&others[..], &[("uv.lock", lock.as_str())], file].concat());
        assert_eq!(with(&[]), format!("python = \">=3.11\"\n{told}"));
        let conda = [("environment.yml", "dependencies: [python=3.12]\n")];
        assert_eq!(with(&conda), format!("conda  = [\"--file environment.yml\"]\n{told}"));
        assert_eq!(lines(&[&others[..], &[("uv.lock", "")]].concat()), "pypi   = [\"-r requirements-lock.txt\"]\n");
        let long: String = (0..9).map(|number| format!("'some-package-{number}', ")).collect();
        let long = format!("[project]\nname = 'x'\ndependencies = [{long}]\n");
        assert!(lines(&[("pyproject.toml", &long)]).starts_with("pypi   = [\n    \"some-package-0\",\n"));
    }

    #[test]
    fn requirement_files_are_found_by_their_usual_names() {
        let found = |names: &[&str]| {
            let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "flask\n")).collect();
            lines(&files).replace("pypi   = ", "").trim_end().to_owned()
        };
        for (names, expected) in [
            (&["requirements.txt", "requirements/base.txt"][..], r#"["-r requirements.txt"]"#),
            (&["requirements/base.txt", "requirements/dev.txt"], r#"["-r requirements/base.txt"]"#),
            (&["requirements/base.txt", "requirements/prod.txt"], r#"["-r requirements/prod.txt"]"#),
            (
                &[
                    "requirements/web.txt",
                    "requirements/main.txt",
                    "requirements/tests.txt",
                    "requirements/local-dev.txt",
                ],
                r#"["-r requirements/main.txt", "-r requirements/web.txt"]"#,
            ),
            (&["requirements/docs.txt"], r#"["flask"]"#),
        ] {
            assert_eq!(found(names), expected, "{names:?}");
        }
    }
}
