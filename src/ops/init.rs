//! `init`: a starter `jove.toml` for the WSGI project in a folder, or a copy of a recipe's example.
//!
//! What is found is written with a comment that says where it was found; nothing of the project is run.

mod packages;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fs::write_atomic;
use crate::host::Host;
use crate::ops::catalogue::catalogue;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::init::packages::Packages;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Copy this recipe's example instead.
    pub example: Option<String>,
    /// The folder.
    pub folder: Option<PathBuf>,
    /// The application, if it is not to be found.
    pub app: Option<String>,
    /// The project's name.
    pub name: Option<String>,
    /// Write nothing.
    pub stdout: bool,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The text of `jove.toml`.
    pub text: String,
    /// What kind of project it was taken for.
    pub kind: String,
}

/// What a folder looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    kind: &'static str,
    app: String,
    why: String,
    vars: Vec<(String, String)>,
}

/// Writes it.
///
/// # Errors
/// If there is one already, or no application is found and none is named.
pub fn init(host: &Host, request: &Request) -> OpResult<Summary> {
    match &request.example {
        Some(recipe) => copy_example(host, recipe, request),
        None => starter(host, request),
    }
}

fn copy_example(host: &Host, recipe: &str, request: &Request) -> OpResult<Summary> {
    let files = catalogue(host)?.example_files(recipe);
    if files.is_empty() {
        return Err(OpError::usage(format!("there is no example of a recipe `{recipe}`"))
            .hint("`jove-install recipe list` shows the recipes, `recipe show NAME` whether one has an example"));
    }
    let folder = host.folder.join(request.folder.clone().unwrap_or_else(|| PathBuf::from(recipe)));
    let mut written = Vec::new();
    for (path, _) in &files {
        let path = folder.join(path);
        if path.exists() {
            return Err(OpError::failed(format!("{} is there already; nothing was written", path.display()))
                .hint("name another folder: jove-install init --example NAME FOLDER"));
        }
    }
    for (path, bytes) in &files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(at(parent))?;
        write_atomic(&path, bytes, 0o644).map_err(at(&path))?;
        written.push(path);
    }
    let text = std::fs::read_to_string(folder.join("jove.toml")).unwrap_or_default();
    Ok(Summary { files: written, text, kind: format!("example of `{recipe}`") })
}

fn starter(host: &Host, request: &Request) -> OpResult<Summary> {
    let folder = host.folder.join(request.folder.clone().unwrap_or_default());
    let path = folder.join("jove.toml");
    if path.exists() && !request.stdout {
        return Err(OpError::failed(format!("{} is there already; nothing was written", path.display()))
            .hint("see what would be written: jove-install init --stdout"));
    }
    let found = match &request.app {
        Some(app) => Found { kind: "WSGI", app: app.clone(), why: "named by --app".into(), vars: Vec::new() },
        None => find(&folder).ok_or_else(|| nothing_found(&folder))?,
    };
    let name = request.name.clone().unwrap_or_else(|| project_name(&folder));
    let text = render(&folder, &name, &found);
    if !request.stdout {
        write_atomic(&path, text.as_bytes(), 0o644).map_err(at(&path))?;
    }
    let files = if request.stdout { Vec::new() } else { vec![path] };
    Ok(Summary { files, text, kind: found.kind.to_owned() })
}

fn nothing_found(folder: &Path) -> OpError {
    OpError::failed(format!("no WSGI application was found in {}", folder.display()))
        .hint("name it: jove-install init --app package.module:callable (or path/file.wsgi, or ini:file.ini#section)")
        .hint("or start from an example: jove-install init --example pywps")
}

/// A name that serves as a folder's: the folder's own, with what a name can't have left out.
fn project_name(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}

/// Looks for what frameworks leave behind, the surest sign first.
fn find(folder: &Path) -> Option<Found> {
    django(folder).or_else(|| paste(folder)).or_else(|| wsgi_file(folder)).or_else(|| callable(folder))
}

fn django(folder: &Path) -> Option<Found> {
    let manage = std::fs::read_to_string(folder.join("manage.py")).ok()?;
    let settings = quoted_after(&manage, "DJANGO_SETTINGS_MODULE")?;
    let package = settings.split('.').next()?.to_owned();
    let vars = vec![("DJANGO_SETTINGS_MODULE".to_owned(), settings)];
    Some(Found {
        kind: "Django",
        app: format!("{package}.wsgi:application"),
        why: "manage.py names its settings".into(),
        vars,
    })
}

/// The second quoted word after a marker: `setdefault("DJANGO_SETTINGS_MODULE", "site.settings")`.
fn quoted_after(text: &str, marker: &str) -> Option<String> {
    let rest = &text[text.find(marker)? + marker.len()..];
    let rest = &rest[rest.find(',')?..];
    let start = rest.find(['"', '\''])?;
    let quote = rest[start..].chars().next()?;
    let inside = &rest[start + 1..];
    Some(inside[..inside.find(quote)?].to_owned())
}

fn paste(folder: &Path) -> Option<Found> {
    let mut files = names(folder, ".ini");
    files.sort_by_key(|name| (name != "production.ini", name.clone()));
    let file = files.into_iter().find(|name| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.contains("[app:main]") && text.contains("use")
    })?;
    Some(Found {
        kind: "Pyramid (PasteDeploy)",
        app: format!("ini:{file}#main"),
        why: format!("{file} has [app:main]"),
        vars: Vec::new(),
    })
}

fn wsgi_file(folder: &Path) -> Option<Found> {
    let places = ["", "wsgi", "deploy"];
    places.iter().find_map(|place| {
        let name = names(&folder.join(place), ".wsgi").into_iter().next()?;
        let app = if place.is_empty() { name } else { format!("{place}/{name}") };
        Some(Found { kind: "WSGI file", why: format!("{app} is there"), app, vars: Vec::new() })
    })
}

/// `app = Flask(…)` and its like, at the top level of a module or of a package's `__init__`.
fn callable(folder: &Path) -> Option<Found> {
    let modules = ["app", "wsgi", "application", "main", "server", "run"];
    let files = modules.iter().map(|module| ((*module).to_owned(), folder.join(format!("{module}.py"))));
    let packages = packages(folder).into_iter().flat_map(|(name, path)| {
        let within = |module: &str| (format!("{name}.{module}"), path.join(format!("{module}.py")));
        [(name.clone(), path.join("__init__.py")), within("app"), within("wsgi")]
    });
    files.chain(packages).find_map(|(module, path)| {
        let text = std::fs::read_to_string(&path).ok()?;
        let (name, kind) = text.lines().find_map(assigned)?;
        let file = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Some(Found { kind, app: format!("{module}:{name}"), why: format!("{file} makes it"), vars: Vec::new() })
    })
}

fn assigned(line: &str) -> Option<(String, &'static str)> {
    for name in ["app", "application"] {
        if line.starts_with(&format!("def {name}(environ")) {
            return Some((name.to_owned(), "WSGI"));
        }
    }
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim_start());
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let kinds = [("Flask(", "Flask"), ("Bottle(", "WSGI"), ("Service(", "PyWPS"), ("config.make_wsgi_app(", "Pyramid")];
    let kind = kinds.iter().find(|(call, _)| value.starts_with(call)).map(|(_, kind)| *kind);
    let made = kind.or_else(|| value.starts_with("create_app(").then_some("Flask"));
    made.filter(|_| plain).map(|kind| (name.to_owned(), kind))
}

fn packages(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = [folder.to_owned(), folder.join("src")]
        .iter()
        .flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten())
        .filter(|entry| entry.path().join("__init__.py").is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| name != "tests" && name != "test")
        .collect();
    found.sort();
    found
}

fn names(folder: &Path, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

/// A folder of static files that the web server can show by itself; frameworks that know their own need none.
fn static_line(folder: &Path, found: &Found) -> &'static str {
    let serves_itself = ["Django", "Flask"].contains(&found.kind);
    if folder.join("static").is_dir() && !serves_itself { "static   = { \"/static/\" = \"static\" }\n" } else { "" }
}

/// The text of a Django project's settings.
fn settings(folder: &Path, found: &Found) -> Option<String> {
    let (_, module) = found.vars.iter().find(|(name, _)| name == "DJANGO_SETTINGS_MODULE")?;
    let path = folder.join(module.replace('.', "/"));
    let files = [path.with_extension("py"), path.join("__init__.py"), path.join("base.py")];
    Some(files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect())
}

/// A line that counts if the project is ready for it, else a remark with what makes it so.
fn line(is_ready: bool, line: &str, remark: &str) -> String {
    if is_ready { format!("{line}\n") } else { format!("# {line}    # {remark}\n") }
}

/// What a Django project needs beside its callable. Its settings must look where jove-install tells it; where they do not, the
/// line is there as a remark, with what to write into them.
fn django_lines(settings: &str) -> String {
    let has = |word: &str| settings.contains(word);
    let prepare = line(
        has("DATABASE_URL") || has("JOVE_DATA"),
        "prepare  = [\"manage.py\", \"migrate\", \"--noinput\"]",
        "when the database of the settings is that of DATABASE_URL, or a file below JOVE_DATA",
    );
    let collect = line(
        has("JOVE_STATIC"),
        "collect  = [\"python\", \"manage.py\", \"collectstatic\", \"--noinput\"]",
        "when STATIC_ROOT = os.environ.get(\"JOVE_STATIC\")",
    );
    prepare + &collect + &django_services(settings)
}

fn django_services(settings: &str) -> String {
    let services = |names: &str| format!("services = [{names}]");
    let all = services("\"postgresql\", \"files\"");
    let media = "MEDIA_ROOT = os.environ.get(\"JOVE_FILES\")";
    let has = |word: &str| settings.contains(word);
    match (has("DATABASE_URL"), has("JOVE_FILES")) {
        (true, true) => line(true, &all, ""),
        (false, true) => line(true, &services("\"files\""), ""),
        (false, false) => line(false, &all, &format!("DATABASE_URL, and {media}")),
        (true, false) => {
            let remark = if has("MEDIA_ROOT") { line(false, &all, &format!("when {media}")) } else { String::new() };
            line(true, &services("\"postgresql\""), "") + &remark
        }
    }
}

/// A folder of its users' files that an application keeps among its sources, where nothing can be written once it is installed.
fn files_line(folder: &Path) -> String {
    let places = [folder.to_owned()].into_iter().chain(packages(folder).into_iter().map(|(_, path)| path));
    let mut folders = places.flat_map(|place| ["media", "uploads"].map(|name| place.join(name)));
    let Some(media) = folders.find(|media| media.is_dir()) else { return String::new() };
    let shown = media.strip_prefix(folder).unwrap_or(&media).display();
    let is_ready = sources(folder).contains("JOVE_FILES");
    line(
        is_ready,
        "services = [\"files\"]",
        &format!("when os.environ.get(\"JOVE_FILES\") takes the place of {shown}/"),
    )
}

/// The modules at the top of a project, and those of its packages, in one text.
fn sources(folder: &Path) -> String {
    let places = [folder.to_owned()].into_iter().chain(packages(folder).into_iter().map(|(_, path)| path));
    let files = places.flat_map(|place| names(&place, ".py").into_iter().map(move |name| place.join(name)));
    files.filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}

fn render(folder: &Path, name: &str, found: &Found) -> String {
    let source = if folder.join("src").is_dir() { "source = \"src\"\n" } else { "" };
    let vars = if found.vars.is_empty() {
        String::new()
    } else {
        let rows: Vec<String> =
            found.vars.iter().map(|(name, value)| format!("{name} = {}", toml::Value::from(value.as_str()))).collect();
        format!("vars   = {{ {} }}\n", rows.join(", "))
    };
    format!(
        "# What this project is; how it runs is the profile's matter (jove-install -p dev, -p demo, -p production).\n\
         # Every option: jove-install recipe show wsgi\n\
         name = {name}\n\n\
         [parts.env]\n\
         recipe = \"python\"\n\
         {packages}\n\
         [parts.app]\n\
         recipe = \"wsgi\"\n\
         app    = {app}    # {kind}: {why}\n\
         {source}\
         env    = \"${{env}}\"\n\
         {vars}{own}{static_files}",
        name = toml::Value::from(name),
        packages = Packages::find(folder, found.kind).lines(),
        app = toml::Value::from(found.app.as_str()),
        kind = found.kind,
        why = found.why,
        own = settings(folder, found).map_or_else(|| files_line(folder), |settings| django_lines(&settings)),
        static_files = static_line(folder, found),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, text).expect("file");
        }
        folder
    }

    #[test]
    fn finds_what_frameworks_leave_behind() {
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')";
        for (files, kind, app) in [
            (vec![("manage.py", manage)], "Django", "mysite.wsgi:application"),
            (vec![("app.py", "from flask import Flask\napp = Flask(__name__)\n")], "Flask", "app:app"),
            (vec![("production.ini", "[app:main]\nuse = egg:x\n")], "Pyramid (PasteDeploy)", "ini:production.ini#main"),
            (vec![("wsgi/site.wsgi", "")], "WSGI file", "wsgi/site.wsgi"),
            (vec![("src/shop/__init__.py", "application = create_app()\n")], "Flask", "shop:application"),
            (vec![("main.py", "def app(environ, start_response):\n")], "WSGI", "main:app"),
        ] {
            let folder = project(&files);
            let found = find(folder.path()).expect(app);
            assert_eq!((found.kind, found.app.as_str()), (kind, app));
            let text = render(folder.path(), "x", &found);
            toml::from_str::<toml::Table>(&text).expect("valid TOML");
        }
        assert_eq!(find(project(&[("app.py", "print('= Flask(')")]).path()), None);
    }

    fn rendered(files: &[(&str, &str)]) -> toml::Table {
        let folder = project(files);
        let text = render(folder.path(), "x", &find(folder.path()).expect("an application"));
        toml::from_str(&text).expect("valid TOML")
    }

    #[test]
    fn django_settings_tell_what_a_site_needs() {
        let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')");
        let told = |settings: &str| {
            let made = rendered(&[manage, ("mysite/settings.py", settings)]);
            let app = made["parts"]["app"].as_table().expect("a part").clone();
            ["prepare", "collect", "services"].map(|name| app.get(name).map(ToString::to_string))
        };
        assert_eq!(told("DATABASES = {}"), [None, None, None]);
        let [prepare, collect, services] = told("DATABASE_URL JOVE_STATIC JOVE_FILES");
        assert_eq!(services.as_deref(), Some(r#"["postgresql", "files"]"#));
        assert_eq!(told("MEDIA_ROOT = os.environ['JOVE_FILES']")[2].as_deref(), Some(r#"["files"]"#));
        assert!(prepare.is_some_and(|prepare| prepare.contains("migrate")));
        assert!(collect.is_some_and(|collect| collect.contains("collectstatic")));
    }

    #[test]
    fn folders_of_users_files_become_the_service_for_them() {
        let services = |files: &[(&str, &str)]| {
            let folder = project(files);
            let text = render(folder.path(), "x", &find(folder.path()).expect("an application"));
            let of_them = text.lines().filter(|line| line.contains("services = ")).map(str::to_owned);
            of_them.collect::<Vec<_>>()
        };
        let app = ("app.py", "app = Flask(__name__)\n");
        let remark = |place| {
            format!("# services = [\"files\"]    # when os.environ.get(\"JOVE_FILES\") takes the place of {place}/")
        };
        assert_eq!(services(&[app]), [""; 0]);
        assert_eq!(services(&[app, ("uploads/a.png", "")]), [remark("uploads")]);
        let package = [("shop/__init__.py", "app = Flask(__name__)\n"), ("shop/media/a.png", "")];
        assert_eq!(services(&package), [remark("shop/media")]);
        let ready = [package[0], package[1], ("shop/views.py", "FOLDER = os.environ['JOVE_FILES']\n")];
        assert_eq!(services(&ready), ["services = [\"files\"]"]);
        let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')");
        let site = |settings| services(&[manage, ("mysite/settings.py", settings)]);
        let database = "services = [\"postgresql\"]".to_owned();
        let both =
            "# services = [\"postgresql\", \"files\"]    # when MEDIA_ROOT = os.environ.get(\"JOVE_FILES\")".to_owned();
        assert_eq!(site("DATABASE_URL"), std::slice::from_ref(&database));
        assert_eq!(site("DATABASE_URL\nMEDIA_ROOT = BASE_DIR / 'media'\n"), [database, both]);
    }
}
