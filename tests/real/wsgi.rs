//! Projects as people have them, made runnable by `init`, from a folder below, in the profiles `demo` and `dev`.

use crate::home::{Home, get};

/// A project's files, and what its pages must say.
struct Project {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// What `init` is told besides.
    told: &'static [&'static str],
    /// Where `jove-install` is called from.
    from: &'static str,
    /// Paths of pages and what they contain.
    pages: &'static [(&'static str, &'static str)],
    /// A file, a text in it, another in its place, and the page that changes.
    edit: (&'static str, &'static str, &'static str, &'static str),
}

const FLASK: Project = Project {
    name: "shop",
    files: &[
        ("requirements.txt", "-r requirements/base.txt\n"),
        ("requirements/base.txt", "# what it needs\nflask >=3\n"),
        (
            "app.py",
            "import os, pathlib\nfrom flask import Flask, render_template\napp = Flask(__name__)\n\
             @app.get('/')\ndef index():\n    return render_template('index.html', debug=app.debug)\n\
             @app.get('/data')\ndef data():\n    pathlib.Path(os.environ['JOVE_DATA'], 'seen.txt').write_text('x')\n    pathlib.Path('here.txt').write_text('x')\n    return 'written'\n",
        ),
        ("templates/index.html", "<h1>Shop</h1> debug={{ debug }}\n"),
        ("static/deep/site.css", "body { color: green }\n"),
    ],
    told: &[],
    from: "static/deep",
    pages: &[("", "<h1>Shop</h1>"), ("static/deep/site.css", "green"), ("data", "written")],
    edit: ("app.py", "return 'written'", "return 'written anew'", "data"),
};

const DJANGO: Project = Project {
    name: "mysite",
    files: &[
        (
            "manage.py",
            "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
        ),
        ("mysite/__init__.py", ""),
        (
            "mysite/settings.py",
            "import os\nSECRET_KEY = os.environ['SECRET_KEY']\nDEBUG = os.environ.get('JOVE_DEBUG') == 'true'\nALLOWED_HOSTS = ['127.0.0.1']\nROOT_URLCONF = 'mysite.urls'\nINSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.join(os.environ['JOVE_DATA'], 'db.sqlite3')}}\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n",
        ),
        (
            "mysite/urls.py",
            "from django.http import HttpResponse\nfrom django.urls import path\nfrom django.contrib.auth.models import User\nurlpatterns = [path('', lambda request: HttpResponse('Django says hello')), path('users', lambda request: HttpResponse('users: %d' % User.objects.count()))]\n",
        ),
        (
            "mysite/wsgi.py",
            "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\napplication = get_wsgi_application()\n",
        ),
    ],
    told: &[],
    from: "mysite",
    pages: &[("", "Django says hello"), ("users", "users: 0")],
    edit: ("mysite/urls.py", "Django says hello", "Django says good day", ""),
};

const PYRAMID: Project = Project {
    name: "hill",
    files: &[
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"hill\"\nversion = \"1\"\ndependencies = [\"pyramid\"]\n[project.entry-points.\"paste.app_factory\"]\nmain = \"hill:main\"\n[tool.setuptools]\npackages = [\"hill\"]\n",
        ),
        (
            "hill/__init__.py",
            "from pyramid.config import Configurator\nfrom pyramid.response import Response\ndef main(global_config, **settings):\n    config = Configurator(settings=settings)\n    config.add_route('home', '/')\n    config.add_view(lambda request: Response('Pyramid ' + settings['hill.word']), route_name='home')\n    return config.make_wsgi_app()\n",
        ),
        ("production.ini", "[app:main]\nuse = egg:hill\nhill.word = on high\n"),
    ],
    told: &[],
    from: "hill",
    pages: &[("", "Pyramid on high")],
    edit: ("hill/__init__.py", "'Pyramid '", "'A pyramid '", ""),
};

const FILE: Project = Project {
    name: "plain-one",
    files: &[
        (
            "deploy/site.wsgi",
            "import os, sys\nsys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))\nfrom pages import answer\ndef application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain; charset=utf-8')])\n    return [answer(environ['PATH_INFO']).encode()]\n",
        ),
        ("pages.py", "def answer(path):\n    return 'plain ' + path\n"),
    ],
    told: &["--name", "plain-one"],
    from: "deploy",
    pages: &[("a/b", "plain /a/b")],
    edit: ("pages.py", "'plain '", "'simple '", "a/b"),
};

fn runs(project: &Project) {
    let Some(mut home) = Home::new() else { return };
    home.enter(project.name);
    for (path, text) in project.files {
        home.write(path, text);
    }
    let root = home.folder().to_owned();
    home.run(&[&["init"], project.told].concat()).success();
    if project.name == DJANGO.name {
        // `init` shows the line, and leaves it to the user to say that the settings are ready for it.
        let text = home.read("jove.toml");
        assert!(text.contains("prepare  = ["), "{text}");
        home.write("jove.toml", text.replace("# prepare  = [", "prepare  = ["));
    }
    let before = home.listing();
    home.enter(project.from);
    for profile in ["demo", "dev"] {
        // In a project `dev` is what runs if nothing is said.
        let place: &[&str] = if profile == "dev" { &[] } else { &["-p", profile] };
        let url = home.run(&[place, &["--json"]].concat()).success().json()["urls"][0].as_str().unwrap().to_owned();
        for (path, says) in project.pages {
            let answer = get(&format!("{url}{path}"));
            assert!(answer.status == 200 && answer.text.contains(says), "{profile} {url}{path}: {answer:?}");
        }
        home.run(&[&["verify"], place].concat()).success();
    }
    let (file, old, new, page) = project.edit;
    let (dev, demo) = (home.url(&[], "app"), home.url(&["-p", "demo"], "app"));
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    home.write(root.join(file), text.replace(old, new));
    let says = new.trim_start_matches("return ").trim_matches('\'').trim_end();
    home.until("dev follows a change", || get(&format!("{dev}{page}")).text.contains(says));
    assert!(!get(&format!("{demo}{page}")).text.contains(says), "the demo runs from a copy");
    home.write(root.join(file), text);
    for place in [&["-p", "demo"][..], &[]] {
        home.run(&[&["wipe", "--data", "--yes"], place].concat()).success();
    }
    assert_eq!(format!("{:?}", home.processes()), "[]");
    let changed: Vec<String> = before.changes(&home.listing()).lines().map(str::to_owned).collect();
    let below = format!(" {}/", root.display());
    let in_source: Vec<&String> = changed
        .iter()
        .filter(|line| line.contains(&below) && !line.contains("/jove.lock ") && !line.contains(file))
        .collect();
    assert!(in_source.is_empty(), "the source folder is as it was: {in_source:?}");
}

#[test]
fn a_flask_project_with_nested_requirements() {
    runs(&FLASK);
}

#[test]
fn a_django_project_with_migrations() {
    runs(&DJANGO);
}

#[test]
fn a_pyramid_ini_of_an_editable_package() {
    runs(&PYRAMID);
}

#[test]
fn a_wsgi_file_without_packages() {
    runs(&FILE);
}
