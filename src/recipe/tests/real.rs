//! The shipped recipes and profiles, resolved as they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fixture::Counter;
use crate::diagnostic::Diagnostics;
use crate::layout::Layout;
use crate::platform::Platform;
use crate::profile::{ProfileChoice, Request, load};
use crate::recipe::{Catalogue, OptionValue, Stack, Surroundings, resolve};
use crate::service::Kind;

fn install(profile: &str, project: Option<PathBuf>) -> Result<(Stack, Diagnostics), Diagnostics> {
    let catalogue = Catalogue::with_project(project.as_deref())?;
    let vars = BTreeMap::new();
    let (definition, _) = load(&Request {
        profile: Some(ProfileChoice::Named(profile.into())),
        project,
        example_folder: "/home/u/jove/demo/example".into(),
        config: "/nowhere".into(),
        vars: &vars,
        sets: &[],
        platform: Platform::current(),
        host_name: "box".into(),
        shipped: &catalogue,
    })?;
    let layout = Layout::new("/home/u/jove/demo");
    let surroundings = Surroundings {
        layout: &layout,
        run: layout.run(),
        platform: Platform::current(),
        host_name: "box",
        processors: 4,
        vars: &vars,
        home: Some("/home/u".into()),
    };
    Ok(resolve(&definition, &catalogue, &surroundings, &mut Counter::default())?)
}

#[test]
fn every_shipped_recipe_is_in_order() {
    let catalogue = Catalogue::shipped();
    assert!(catalogue.names().count() >= 6);
    for name in catalogue.names() {
        let recipe = catalogue.find(name).expect("there");
        let recipe = recipe.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert!(!recipe.summary.is_empty(), "{name}");
        for option in &recipe.options {
            assert!(!option.doc.is_empty(), "{name}.{}", option.name);
        }
    }
}

#[test]
fn the_examples_resolve_under_every_shipped_profile() {
    for profile in ["demo", "dev", "production", "stage"] {
        let (stack, warnings) = install(profile, None).unwrap_or_else(|wrong| panic!("{profile}: {wrong}"));
        assert_eq!(warnings.0, [], "{profile}");
        let wps = &stack.parts["wps"];
        assert!(!wps.services.is_empty() && !wps.files.is_empty(), "{profile}");
        assert!(wps.files.iter().any(|file| file.path.ends_with("pywps.cfg")));
        let source = stack.parts["wps"].options["source"].origin.as_ref().map(ToString::to_string);
        assert!(wps.sources.iter().all(|tree| tree.from.starts_with("/home/u/jove/demo/example")), "{source:?}");
    }
}

#[test]
fn a_wsgi_project_of_a_few_lines_resolves() {
    let folder = tempfile::tempdir().expect("folder");
    let text = "name = 'shop'\n[parts.env]\nrecipe = 'python'\npypi = ['flask']\n[parts.app]\nrecipe = 'wsgi'\nenv = '${env}'\napp = 'shop:app'\n";
    fs_err::write(folder.path().join("jove.toml"), text).expect("project");
    for profile in ["demo", "dev", "production", "stage"] {
        let (stack, _) = install(profile, Some(folder.path().to_owned())).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(!stack.parts["app"].services.is_empty());
        // The machine has four processors.
        let workers = |part: &str| stack.parts.get(part).map(|part| part.options["workers"].value.clone());
        let (app, web) = if ["demo", "dev"].contains(&profile) { (2, None) } else { (4, Some(4)) };
        assert_eq!(
            (workers("app"), workers("web")),
            (Some(OptionValue::Int(app)), web.map(OptionValue::Int)),
            "{profile}"
        );
    }
}

#[test]
fn a_relative_folder_of_the_web_server_is_the_projects() {
    let folder = tempfile::tempdir().expect("folder");
    let text = "name = 'site'\n[parts.web]\nrecipe = 'nginx'\nlocations = { '/static/' = 'static', '/far/' = '/srv/far', '/app/' = 'http://127.0.0.1:5000' }\n";
    fs_err::write(folder.path().join("jove.toml"), text).expect("project");
    let (stack, _) = install("dev", Some(folder.path().to_owned())).unwrap_or_else(|wrong| panic!("{wrong}"));
    let files = stack.parts["web"].files.iter();
    let text =
        files.map(|file| file.content.to_marked()).find(|text| text.contains("/srv/far")).expect("a configuration");
    assert!(text.contains(&format!("alias \"{}/static/\";", folder.path().display())), "{text}");
    assert!(text.contains("alias \"/srv/far/\";") && text.contains("proxy_pass http://127.0.0.1:5000;"), "{text}");
}

/// A process reads what was there when it was started, so that a reload would not do.
#[test]
fn a_web_server_is_another_one_with_a_certificate_elsewhere() {
    let web = |place: &str| {
        let folder = tempfile::tempdir().expect("folder");
        let text = format!(
            "[parts.web]\nrecipe = 'nginx'\ntls = 'files'\ntls_port = 8443\nscheme = 'https'\ncertificate = '/{place}/c.pem'\nkey = '/tls/k.pem'\nwrites = []\n"
        );
        fs_err::write(folder.path().join("jove.toml"), text).expect("project");
        let (stack, _) = install("dev", Some(folder.path().to_owned())).unwrap_or_else(|wrong| panic!("{wrong}"));
        stack.parts["web"].services.iter().find(|spec| spec.name.as_str() == "web").expect("it").clone()
    };
    let before = web("tls");
    assert_eq!(before.reads, Some(["/tls/c.pem", "/tls/k.pem"].map(PathBuf::from).into()), "and not what is not said");
    assert_eq!(web("tls").digest(), before.digest());
    assert_ne!(web("later").digest(), before.digest());
}

/// But for this program itself, which works on the whole installation, and for what is a user's own.
#[test]
fn in_production_every_server_and_job_is_confined() {
    let folder = tempfile::tempdir().expect("folder");
    let plain = ["postgresql", "mariadb", "redis", "rabbitmq", "memcached"];
    let mut text = plain.map(|recipe| format!("[parts.{recipe}]\nrecipe = '{recipe}'\n")).concat();
    for (recipe, more) in [
        ("python", ""),
        ("haproxy", "servers = ['127.0.0.1:5000']"),
        ("apache", "env = '${python}'\napp = 'shop:app'"),
        ("wsgi", "env = '${python}'\napp = 'shop:app'"),
        ("gunicorn", "env = '${python}'\napp = 'shop:app'\nat = '/g/'"),
        ("pywps", "env = '${python}'\nat = '/wps/'"),
        ("celery", "site = '${wsgi.process}'\napp = 'shop'\nbroker = '${redis.celery}'\nbeat = true"),
        ("cron", "at = '@daily'\ncommand = ['/bin/true']"),
    ] {
        text.push_str(&format!("[parts.{recipe}]\nrecipe = '{recipe}'\n{more}\n"));
    }
    fs_err::write(folder.path().join("jove.toml"), text).expect("project");
    let (stack, _) = install("production", Some(folder.path().to_owned())).unwrap_or_else(|wrong| panic!("{wrong}"));
    let all = stack.parts.values().flat_map(|part| &part.services);
    let lasting = all.filter(|spec| !matches!(spec.kind, Kind::Step { .. }));
    let (own, others): (Vec<_>, Vec<_>) =
        lasting.partition(|spec| spec.command.first().is_some_and(|word| word.as_plain() == Some("jove-install")));
    let open: Vec<_> = others.iter().filter(|spec| spec.writes.is_none()).map(|spec| spec.name.as_str()).collect();
    assert_eq!(open, [""; 0]);
    assert_eq!(
        (own.len(), others.len()),
        (2, 16),
        "{:?}",
        others.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>()
    );
}

#[test]
fn the_tasks_and_jobs_of_a_site_have_all_that_the_site_has() {
    let folder = tempfile::tempdir().expect("folder");
    let text = "name = 'shop'\n[parts.env]\nrecipe = 'python'\npypi = ['django']\n[parts.app]\nrecipe = 'wsgi'\nenv = '${env}'\napp = 'shop:app'\nservices = ['postgresql', 'redis', 'files']\nvars = { COLOUR = 'teal' }\n[parts.tasks]\nrecipe = 'celery'\nsite = '${app.process}'\napp = 'shop'\nneeds = ['app']\n[parts.report]\nrecipe = 'cron'\nsite = '${app.process}'\nat = '@daily'\ncommand = ['python', 'report.py']\nvars = { COLOUR = 'red' }\n";
    fs_err::write(folder.path().join("jove.toml"), text).expect("project");
    for profile in ["demo", "dev", "production", "stage"] {
        let (stack, _) = install(profile, Some(folder.path().to_owned())).unwrap_or_else(|wrong| panic!("{wrong}"));
        let main = |part: &str| stack.parts[part].services.iter().find(|spec| spec.name.as_str() == part).expect("it");
        let (site, worker) = (main("app"), main("tasks"));
        for (name, value) in &site.vars {
            let is_own = ["HOME", "TMPDIR"].contains(&name.as_str());
            assert_eq!(worker.vars.get(name) == Some(value), !is_own, "{profile}: {name}");
        }
        assert!(worker.vars["CELERY_BROKER_URL"].to_string().starts_with("redis+socket://"), "{profile}");
        assert_eq!((worker.writes.is_some(), &worker.watch), (site.writes.is_some(), &site.watch), "{profile}");
        assert_eq!(stack.parts["tasks"].sources, stack.parts["app"].sources, "{profile}");
        let job = main("report");
        for (name, value) in &site.vars {
            let is_own = ["COLOUR", "HOME", "TMPDIR", "PYTHONNOUSERSITE", "PYTHONUNBUFFERED"].contains(&name.as_str());
            assert_eq!(job.vars.get(name) == Some(value), !is_own, "{profile}: {name}");
        }
        assert_eq!(job.vars["COLOUR"].to_string(), "red", "{profile}: its own win");
        assert_eq!(job.writes, site.writes, "{profile}");
        assert_eq!(stack.parts["report"].sources, stack.parts["app"].sources, "{profile}");
        let files = std::path::Path::new("/home/u/jove/demo/var/app-files/files");
        for spec in [worker, job] {
            assert!(spec.folders.iter().any(|folder| folder == files), "{profile}: {}", spec.name);
        }
    }
}
