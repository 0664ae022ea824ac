//! A team's own channel: what one project made, another installs, by the program itself and as any client of conda would.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use insta::assert_snapshot;
use rattler_conda_types::{MatchSpec, Matches as _, PackageName, PackageRecord, ParseStrictness, VersionWithSource};

use crate::life::Life;

/// A tool that says where it is, made by a command.
const MAKER: &str =
    "[parts.tool]\nrecipe = 'step'\ncommand = ['/bin/sh', 'make.sh']\nfolder = '.'\ninputs = ['make.sh']\n";

const MAKE: &str = "set -e\nmkdir -p \"$JOVE_OBJECT/bin\" \"$JOVE_OBJECT/lib\"\n\
    printf '#!/bin/sh\\ncat %s/lib/words\\n' \"$JOVE_OBJECT\" > \"$JOVE_OBJECT/bin/tool\"\nchmod 755 \"$JOVE_OBJECT/bin/tool\"\n\
    echo words of %s > \"$JOVE_OBJECT/lib/words\"\nln -s tool \"$JOVE_OBJECT/bin/tool-1\"\n";

/// A home in which one project's tool is in the channel `channel` of the working folder's parent.
fn packed() -> Life {
    let life = Life::of(MAKER);
    life.sandbox.write("make.sh", MAKE);
    life.install();
    life.run(&["pack", "tool", "--channel", "../channel"]).success();
    life
}

fn channel(life: &Life) -> String {
    life.sandbox.path("channel").display().to_string()
}

/// A project of its own that takes the tool from the channel.
fn take(life: &Life, more: &str) {
    let channel = channel(life);
    let tools =
        format!("recipe = 'packages'\nconda = ['tool']\nconda_channels = ['{channel}']\nprograms = ['tool']\n{more}");
    life.sandbox.write("jove.toml", format!("name = 'other'\n[parts.tools]\n{tools}"));
}

#[test]
fn what_one_project_packs_another_installs_and_runs() {
    let mut life = packed();
    life.sandbox.enter("other");
    take(&life, "");
    let said = life.run(&["install", "--json"]).success();
    assert!(said.stderr().contains("software of this prefix comes from conda"), "{}", said.stderr());
    let words = life.run(&["run", "tools", "--", "tool"]).success();
    assert_eq!(words.stdout(), "words of %s\n");
    assert_eq!(life.run(&["verify"]).code(0).stdout().matches("altered").count(), 0);
    let lock = fs_err::read_to_string(life.sandbox.folder().join("jove.lock")).expect("a lock");
    assert!(lock.contains("place = \"channel linux-") && !lock.contains(&channel(&life)), "{lock}");
    assert_snapshot!(life.run(&["plan"]).stdout(), @"nothing to do: all 1 parts are as wished");

    // The channel is gone: what is locked and cached is made again, and the lock is kept.
    fs_err::rename(life.sandbox.path("channel"), life.sandbox.path("gone")).expect("moved");
    life.run(&["wipe", "--yes"]).success();
    life.run(&["install", "--offline"]).success();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
    life.run(&["lock", "--upgrade"]).code(1);
    assert_eq!(fs_err::read_to_string(life.sandbox.folder().join("jove.lock")).expect("a lock"), lock);
}

#[test]
fn a_channel_that_cannot_be_reached_is_passed_over_once_and_never_later() {
    let mut life = packed();
    life.sandbox.enter("other");
    let tool = life.sandbox.write("tools/tool", "#!/bin/sh\necho of this machine\n");
    fs_err::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    life.sandbox.set("PATH", format!("{}:/usr/bin:/bin", life.sandbox.folder().join("tools").display()));
    let away = life.sandbox.path("gone");
    fs_err::rename(life.sandbox.path("channel"), &away).expect("moved");
    // Nothing is locked yet, and this machine's own serves.
    take(&life, "host = ['tool']\n");
    let said = life.run(&["install"]).success();
    assert!(said.stderr().contains("software of `tools` comes from host"), "{}", said.stderr());
    assert!(
        said.stderr().contains("not conda: ") && said.stderr().contains("there is no channel"),
        "{}",
        said.stderr()
    );
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "of this machine\n");
    // Once locked from the channel, its absence is an error and no reason to take another.
    fs_err::rename(&away, life.sandbox.path("channel")).expect("moved");
    take(&life, "host = ['tool']\nprovider = 'conda'\n");
    life.install();
    fs_err::rename(life.sandbox.path("channel"), &away).expect("moved");
    take(&life, "host = ['tool']\n");
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
    let told = life.run(&["install", "--upgrade"]).code(1);
    assert!(told.stderr().contains("channel"), "{}", told.stderr());
}

#[test]
fn what_cannot_be_packed_is_told_with_what_to_do() {
    let life = packed();
    life.define(&format!("{MAKER}[parts.here]\nrecipe = 'packages'\nhost = ['sh']\nprograms = ['sh']\n"));
    assert_snapshot!(life.run(&["pack", "here", "--channel", "../channel"]).text(), @"
    ------- stderr -------
    locking here
    packing here
    error: packing `here`
      it depends on this machine: uses sh of this machine: /usr/bin/sh ([HEX])

    hint: take it from another provider, and pack that
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["pack", "tol", "--channel", "../channel"]).text(), @"
    ------- stderr -------
    locking here
    error: there is no part `tol`

    hint: did you mean `tool`?
    ------- exit 64 -------
    ");
    life.sandbox.write("../channel/noarch/repodata.json", "{}");
    let index = index(&life);
    fs_err::write(&index, "no index").expect("written");
    let told = life.run(&["pack", "tool", "--channel", "../channel"]).code(1);
    assert!(
        told.stderr().contains("is not understood") && told.stderr().contains("repodata.json"),
        "{}",
        told.stderr()
    );
}

#[test]
fn a_lock_is_exported_and_files_of_condas_users_are_imported() {
    let mut life = packed();
    life.sandbox.enter("other");
    take(&life, "platforms = ['osx-arm64']\n");
    let told = life.run(&["lock"]).code(1);
    assert!(told.stderr().contains("macos-aarch64"), "{}", told.stderr());
    take(&life, "");
    life.run(&["lock"]).success();
    let explicit = life.run(&["lock", "--export", "explicit"]).success().stdout().to_owned();
    assert!(explicit.contains("@EXPLICIT\nfile://") && explicit.contains("#sha256:"), "{explicit}");
    let environment = life.run(&["lock", "--export", "environment", "tools"]).success().stdout().to_owned();
    assert!(environment.contains("- tool ==0 h"), "{environment}");
    for (name, text) in [("explicit.txt", &explicit), ("environment.yml", &environment)] {
        life.sandbox.enter("import");
        life.sandbox.write(name, text);
        life.sandbox.write(
            "jove.toml",
            format!(
                "name = 'import'\n[parts.tools]\nrecipe = 'packages'\nconda = ['--file {name}']\nprograms = ['tool']\n"
            ),
        );
        life.install();
        assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
        life.run(&["wipe", "--data", "--yes"]).success();
    }
    life.sandbox.write("environment.yml", "dependencies: [tool, {pip: [flask]}]\n");
    let told = life.run(&["lock"]).code(1);
    let said = told.stderr();
    assert!(said.contains("flask") && said.contains("`conda` of a part of the recipe `python`"), "{said}");
}

#[test]
fn one_lock_serves_several_platforms() {
    let mut life = packed();
    life.sandbox.enter("other");
    // What the channel has for this machine, under the names of others.
    let own = index(&life).parent().expect("a folder").file_name().expect("a name").to_string_lossy().into_owned();
    let text = fs_err::read_to_string(index(&life)).expect("an index");
    let elsewhere = [("osx-arm64", "macos-aarch64"), ("linux-ppc64le", "linux-ppc64le")];
    for (word, _) in elsewhere {
        life.sandbox.write(format!("{}/{word}/repodata.json", channel(&life)), text.replace(&own, word));
    }
    let lock = || fs_err::read_to_string(life.sandbox.folder().join("jove.lock")).expect("a lock");
    let uses = |platform: &str| {
        let lock: toml::Table = lock().parse().expect("TOML");
        let resolutions = lock["resolution"].as_array().expect("a list").clone();
        let id = lock["uses"]["dev"].get(platform)?["tools"].as_str()?.to_owned();
        let used = resolutions.into_iter().find(|one| one["id"].as_str().is_some_and(|whole| whole.starts_with(&id)));
        let used = used.unwrap_or_else(|| panic!("no {id} in {lock:#?}"));
        assert_eq!(used["platform"].as_str(), Some(platform));
        Some(used["pin"][0]["place"].as_str().expect("a place").to_owned())
    };
    let all = [elsewhere[0].0, elsewhere[1].0, own.as_str()];
    take(&life, &format!("platforms = {all:?}\n"));
    life.run(&["lock"]).success();
    for (word, platform) in elsewhere {
        assert_eq!(uses(platform), Some(format!("channel {word}")), "{}", lock());
    }
    assert_eq!(lock().matches("[[resolution]]").count(), 3, "{}", lock());
    assert!(lock().contains(&format!("place = \"channel {own}\"")), "{}", lock());
    // Nobody needs to be asked again, for none of them.
    let before = lock();
    fs_err::rename(life.sandbox.path("channel"), life.sandbox.path("gone")).expect("moved");
    life.run(&["lock", "--check"]).success();
    assert!(life.run(&["lock"]).success().stdout().contains("unchanged"));
    fs_err::rename(life.sandbox.path("gone"), life.sandbox.path("channel")).expect("moved");
    life.run(&["install", "--quiet", "--locked"]).success();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
    assert_eq!(lock(), before);

    // One that is named no more goes, as --check says first; the others stay as they were.
    take(&life, "platforms = ['osx-arm64']\n");
    let told = life.run(&["lock", "--check"]).code(1);
    assert!(told.stderr().contains("is not what the project needs"), "{}", told.stderr());
    life.run(&["lock"]).success();
    assert_eq!(uses("linux-ppc64le"), None);
    assert_eq!(lock().matches("[[resolution]]").count(), 2, "{}", lock());
    assert_eq!(uses("macos-aarch64"), Some("channel osx-arm64".to_owned()));
    // What a machine of its own locked is not known to be of nobody.
    take(&life, "");
    life.run(&["lock", "--check"]).success();
}

fn index(life: &Life) -> std::path::PathBuf {
    let folders = fs_err::read_dir(life.sandbox.path("channel")).expect("a channel");
    let mut folders = folders.map(|entry| entry.expect("entry").path());
    folders.find(|path| path.file_name() != Some("noarch".as_ref())).expect("a platform").join("repodata.json")
}

#[test]
fn a_python_part_with_conda_says_what_contradicts_it() {
    let mut life = packed();
    life.sandbox.enter("other");
    let told = |life: &Life, more: &str| {
        let channel = channel(life);
        let part = format!(
            "name = 'other'\n[parts.env]\nrecipe = 'python'\nconda = ['tool']\nconda_channels = ['{channel}']\n{more}"
        );
        life.sandbox.write("jove.toml", part);
        life.run(&["plan"]).code(1).stderr().to_owned()
    };
    let said = told(&life, "python = '/usr/bin/python3'\n");
    assert!(said.contains("`python` names another one by its path") && said.contains("range of versions"), "{said}");
    let said = told(&life, "provider = 'deb'\n");
    assert!(said.contains("`provider` says `deb`"), "{said}");
    let said = told(&life, "software = '${mine}'\n[parts.mine]\nrecipe = 'packages'\nhost = ['sh']\n");
    assert!(said.contains("`software` names another one"), "{said}");
    let said = told(&life, "[parts.env-conda]\nrecipe = 'packages'\nhost = ['sh']\n");
    assert!(said.contains("the part `env-conda` that would have its packages is your own"), "{said}");
    // Conda's Python is asked for by the part's range.
    let said = told(&life, "python = '3.12'\n");
    assert!(said.contains("python 3.12.*") && said.contains("pip"), "{said}");
}

#[test]
fn packing_twice_gives_the_same_bytes_and_one_entry() {
    let life = packed();
    let read = |path: &Path| fs_err::read(path).expect("read");
    let text = read(&index(&life));
    let record: serde_json::Value = serde_json::from_slice(&text).expect("an index");
    let names: Vec<&String> = record["packages.conda"].as_object().expect("packages").keys().collect();
    assert_eq!(names.len(), 1);
    let package = index(&life).with_file_name(names[0]);
    let before = read(&package);
    life.run(&["pack", "tool", "--channel", "../channel"]).success();
    assert_eq!((read(&package), read(&index(&life))), (before, text));
}

#[test]
fn a_kill_at_every_step_of_an_install_is_made_good_by_the_next() {
    let mut life = packed();
    life.sandbox.enter("other");
    let checkpoint = life.sandbox.path("work/checkpoint");
    life.sandbox.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
    take(&life, "");
    let steps =
        ["fetch-before-insert", "fetch-after-insert", "package-before-keep", "conda-before-link", "conda-after-link"];
    for name in steps {
        // What was fetched and unpacked before is asked for again.
        for folder in ["files", "packages"] {
            let folder = life.sandbox.home().join(".cache/jove-install").join(folder);
            if folder.exists() {
                fs_err::remove_dir_all(folder).expect("an empty cache");
            }
        }
        life.sandbox.write(&checkpoint, name);
        life.run(&["install"]).signal(9);
        assert!(!checkpoint.exists(), "{name} was passed");
        assert!(!life.sandbox.home().join("jove/other-dev/current").exists(), "{name}");
        life.install();
        assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n", "{name}");
        life.run(&["verify"]).code(0);
        life.has_no_litter(name);
        life.run(&["wipe", "--data", "--yes"]).success();
    }
}

#[test]
fn what_the_cache_keeps_unpacked_is_proved_before_it_is_copied() {
    let mut life = packed();
    life.sandbox.enter("other");
    take(&life, "");
    life.install();
    let kept = || {
        let files = walkdir::WalkDir::new(life.sandbox.home().join(".cache/jove-install/packages")).into_iter();
        let mut files = files.map(|entry| entry.expect("entry").into_path());
        files.find(|path| path.ends_with("files/info/paths.json")).expect("what it says of itself")
    };
    let shares_nothing = || {
        let files = |folder: &Path| {
            let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.expect("entry"));
            let files = entries.filter(|entry| entry.file_type().is_file());
            files.map(|entry| (entry.path().to_owned(), entry.metadata().expect("facts"))).collect::<Vec<_>>()
        };
        let cached = files(&life.sandbox.home().join(".cache/jove-install"));
        let cached: BTreeSet<u64> = cached.iter().map(|(_, facts)| facts.ino()).collect();
        let object = files(&life.sandbox.home().join("jove/other-dev/store"));
        let object = object.iter().filter(|(path, _)| path.to_string_lossy().contains("-tools/"));
        let names = object.map(|(path, facts)| {
            assert_eq!((facts.nlink(), cached.contains(&facts.ino())), (1, false), "{}", path.display());
            path.file_name().expect("a name").to_string_lossy().into_owned()
        });
        let names: BTreeSet<String> = names.collect();
        assert!(["tool", "words"].iter().all(|name| names.contains(*name)), "{names:?}");
    };
    shares_nothing();
    let whole = fs_err::read(kept()).expect("read");
    fs_err::write(kept(), b"{\"paths\": [], \"paths_version\": 1}").expect("written");
    let said = life.run(&["install", "--offline", "--force", "tools"]).success();
    assert!(said.stderr().contains("was damaged where the cache keeps it unpacked"), "{}", said.stderr());
    assert_eq!(fs_err::read(kept()).expect("read"), whole);
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
    life.run(&["verify"]).code(0);
    // Nor does it once it was made of what was kept already.
    shares_nothing();
}

#[test]
fn a_cache_that_was_edited_by_hand_is_seen_and_filled_again() {
    let mut life = packed();
    life.sandbox.enter("other");
    take(&life, "");
    life.install();
    let cached = || {
        let files = walkdir::WalkDir::new(life.sandbox.home().join(".cache/jove-install/files")).into_iter();
        let mut files = files.map(|entry| entry.expect("entry").into_path());
        files.find(|path| path.extension().is_some_and(|suffix| suffix == "conda")).expect("a package")
    };
    let whole = fs_err::read(cached()).expect("read");
    fs_err::set_permissions(cached(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    fs_err::write(cached(), b"edited").expect("written");
    // A folder is asked without a network, too.
    life.run(&["install", "--offline", "--force", "tools"]).success();
    assert_eq!(fs_err::read(cached()).expect("read"), whole);
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n");
    fs_err::set_permissions(cached(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    fs_err::write(cached(), b"edited").expect("written");
    fs_err::rename(life.sandbox.path("channel"), life.sandbox.path("gone")).expect("moved");
    let told = life.run(&["install", "--offline", "--force", "tools"]).code(1);
    assert!(told.stderr().contains("tool-0-h"), "{}", told.stderr());
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "words of %s\n", "what runs is as it was");
}

/// What conda-forge has of the packages that recipes name, as far as its records are at hand.
fn records() -> Vec<PackageRecord> {
    let lines = include_str!("conda/records.txt").lines().filter(|line| !line.starts_with('#'));
    let record = |line: &str| {
        let [name, version, build] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let version: VersionWithSource = version.parse().expect("a version");
        PackageRecord::new(PackageName::try_from(name).expect("a name"), version, build.parse().expect("a build"))
    };
    lines.map(record).collect()
}

/// The wishes for conda packages of every recipe, with its name.
fn wishes() -> Vec<(String, String)> {
    fn within(value: &toml::Value, found: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                let own = table.get("conda").and_then(toml::Value::as_array).into_iter().flatten();
                found.extend(own.filter_map(|wish| wish.as_str().map(str::to_owned)));
                table.values().for_each(|value| within(value, found));
            }
            toml::Value::Array(list) => list.iter().for_each(|value| within(value, found)),
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {}
        }
    }
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let mut wishes = Vec::new();
    for entry in fs_err::read_dir(recipes).expect("recipes").flatten().filter(|entry| entry.path().is_dir()) {
        let text = fs_err::read_to_string(entry.path().join("recipe.toml")).expect("a recipe");
        let recipe: toml::Table = text.parse().expect("TOML");
        let mut found = Vec::new();
        within(&toml::Value::Table(recipe), &mut found);
        let name = entry.file_name().to_string_lossy().into_owned();
        wishes.extend(found.into_iter().filter(|wish| !wish.contains("${")).map(|wish| (name.clone(), wish)));
    }
    wishes.sort();
    wishes.dedup();
    wishes
}

/// A name that is declared was looked up: in the records, or it is told that none is at hand.
#[test]
fn the_conda_packages_of_recipes_are_those_of_the_records() {
    let guide = include_str!("../../docs/recipes.md");
    let (records, wishes) = (records(), wishes());
    assert!(wishes.iter().any(|(recipe, _)| recipe == "postgresql"), "{wishes:?}");
    for (recipe, wish) in wishes {
        let spec =
            MatchSpec::from_str(&wish, ParseStrictness::Strict).unwrap_or_else(|error| panic!("{wish}: {error}"));
        let name = spec.name.to_string();
        let row = guide
            .lines()
            .find(|line| line.starts_with(&format!("| `{recipe}` |")) && line.contains(&format!("`{name}`")));
        let row =
            row.unwrap_or_else(|| panic!("docs/recipes.md does not say whether `{name}` of `{recipe}` was found"));
        let own: Vec<&PackageRecord> = records.iter().filter(|record| record.name.as_normalized() == name).collect();
        assert_eq!(row.contains("in the records"), !own.is_empty(), "{row}");
        assert!(
            own.is_empty() || own.iter().any(|record| spec.matches(*record)),
            "no record is `{wish}` of `{recipe}`"
        );
    }
}
