//! What the environment of a project gets: what the project says itself, wherever it says so, else its framework by name.

use std::path::Path;

use crate::provider::conda::wanted::Wanted;

/// The files of conda's users.
const ENVIRONMENTS: [&str; 2] = ["environment.yml", "environment.yaml"];

/// The packages of a part of the recipe `python`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packages {
    /// Of conda channels, the interpreter among them.
    conda: Vec<String>,
    /// Of the Python package index.
    pypi: Vec<String>,
    /// Folders that are used in place.
    editable: Vec<String>,
}

impl Packages {
    /// Looks for them in a project's folder.
    pub(super) fn find(folder: &Path, kind: &str) -> Self {
        let file = ENVIRONMENTS.into_iter().find(|name| folder.join(name).is_file());
        let conda: Vec<String> = file.map(|name| format!("--file {name}")).into_iter().collect();
        // One that cannot be read is written all the same: what is wrong in it is said where it is installed.
        let wanted = Wanted::read(&conda, folder).unwrap_or_default();
        // Its `pip` section comes with it.
        let pypi = if wanted.pip.is_empty() { requirements(folder, kind, &wanted) } else { Vec::new() };
        let editable = is_package(folder).then(|| ".".to_owned()).into_iter().collect();
        Self { conda, pypi, editable }
    }

    /// The lines of the part.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        if !self.conda.is_empty() {
            text += &line("conda ", &self.conda);
        }
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
    format!("{option} = [{}]\n", quoted.join(", "))
}

/// The project's own list, else the framework by name, unless conda brings that.
fn requirements(folder: &Path, kind: &str, conda: &Wanted) -> Vec<String> {
    if folder.join("requirements.txt").is_file() {
        return vec!["-r requirements.txt".to_owned()];
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
    let text = std::fs::read_to_string(folder.join("pyproject.toml")).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
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
}
