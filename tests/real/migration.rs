//! A migration of the Django project on its real database that goes wrong: while it runs nobody's word is taken, and afterwards all
//! is as it was.

use crate::home::Home;
use crate::production::{PRODUCTION, ask, edit, is_counted_by};

/// Half of it is done, and stays in the database, when it waits; where it is told to, it fails then.
const MIGRATION: &str = r#"import os
import time

from django.db import migrations, models


def waits(apps, editor):
    def place(name):
        return os.path.join(os.environ["JOVE_DATA"], name)

    open(place("half"), "w").close()
    while not os.path.exists(place("go")):
        time.sleep(0.05)


def fails(apps, editor):
    raise RuntimeError("it was meant to fail")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("items", "0002_note")]
    operations = [
        migrations.AddField("item", "price", models.IntegerField(null=True)),
        migrations.RunSQL("delete from items_item"),
        migrations.RunPython(waits),
        migrations.RunPython(fails),
    ]
"#;

const FILE: &str = "items/migrations/0003_item_price.py";

pub fn goes_wrong_and_leaves_no_trace(home: &Home, url: &str) {
    let count = || ask(home, PRODUCTION, &[&format!("{url}count")])[0]["text"].clone();
    let generation = || home.status(PRODUCTION)["generation"].clone();
    let (then, before) = (count(), generation());
    let is_as_before = || {
        assert_eq!((count(), generation()), (then.clone(), before.clone()));
        is_counted_by(home, PRODUCTION, url, "second edition");
    };
    home.write(FILE, MIGRATION);
    fails_half_way(home, url);
    is_as_before();

    // It goes well, and the new code does not come up after it.
    home.write(
        FILE,
        MIGRATION.replace("        migrations.RunPython(waits),\n        migrations.RunPython(fails),\n", ""),
    );
    edit(home, "HttpResponse(\"well\")", "HttpResponse(1 / 0)");
    let failed = home.run(&[&["update"], PRODUCTION].concat()).code(1);
    assert!(failed.stderr().contains("answers `/health` with 500"), "{}", failed.stderr());
    is_as_before();

    // Mended, it is done from the beginning: a column that was left of the others would be in its way.
    edit(home, "HttpResponse(1 / 0)", "HttpResponse(\"well\")");
    home.run(&[&["update"], PRODUCTION].concat()).success();
    assert_eq!(count(), "0", "what it does with the data is done");
    let dumps = home.run(&[&["dump", "--list", "--json"], PRODUCTION].concat()).success().json();
    let last = dumps.as_array().and_then(|dumps| dumps.last());
    let dump = last.and_then(|dump| dump["name"].as_str()).unwrap_or_else(|| panic!("{dumps}"));
    // The way back leaves the data, and names what there was before.
    let told = home.run(&[&["rollback"], PRODUCTION].concat()).success();
    assert!(told.text().contains(&format!("load {dump}")), "{}", told.text());
    assert_eq!(count(), "0");
    home.run(&[&["load", dump], PRODUCTION].concat()).success();
    assert_eq!(count(), then);
    home.run(&[&["install", "--release"], PRODUCTION].concat()).success();
    assert_eq!(count(), "0", "it is done with the data that were loaded, too");
    is_counted_by(home, PRODUCTION, url, "second edition");
    ask(home, PRODUCTION, &[url]);
    assert_eq!(count(), "1");
}

/// Nobody can write anything that the dump would not have: the site is away until the data are those of before.
fn fails_half_way(home: &Home, url: &str) {
    let prefix = home.status(PRODUCTION)["prefix"].as_str().unwrap().to_owned();
    let [half, go] = ["half", "go"].map(|name| std::path::Path::new(&prefix).join("var/app").join(name));
    let failed = std::thread::scope(|scope| {
        let update = scope.spawn(|| home.run(&[&["update"], PRODUCTION].concat()));
        home.until("half of the migration", || half.exists() || update.is_finished());
        let page = ask(home, PRODUCTION, &[url])[0].clone();
        home.write(&go, "");
        let failed = update.join().unwrap();
        assert_eq!(page["status"], 503, "{page} {}", failed.text());
        failed.code(1)
    });
    assert!(failed.stderr().contains("it was meant to fail"), "{}", failed.stderr());
    let log = home.run(&[&["logs", "app"], PRODUCTION].concat()).success();
    assert!(log.stdout().contains("it failed; the data are again those of the dump"), "{}", log.stdout());
}
