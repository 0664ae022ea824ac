//! Files that are no good: encodings, kinds, sizes, garbage, rights.

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

fn bytes(bytes: &[u8]) -> Sandbox {
    let sandbox = project("");
    sandbox.write("jove.toml", bytes);
    sandbox
}

#[test]
fn empty_files_and_byte_order_marks_are_fine() {
    for text in ["", "\n", "# only a word\n", "\u{feff}", "\u{feff}[parts.a]\r\nx = 1\r\n"] {
        bytes(text.as_bytes()).good();
    }
    let definition = bytes("\u{feff}\n[parts.a]\nx = 1\n".as_bytes()).good();
    assert_eq!(setting(&definition, "a", "x").origin.to_string(), "jove.toml:3:5");
}

#[test]
fn other_encodings_are_named() {
    assert!(bytes(b"\xff\xfea\0").bad().contains("UTF-16"));
    assert!(
        bytes(b"a = 1\nb = '\xe9'\n").bad().contains("byte 11 (line 2)"),
        "{}",
        bytes(b"a = 1\nb = '\xe9'\n").bad()
    );
}

#[test]
fn garbage_is_told_in_few_lines() {
    let mut garbage = String::new();
    for n in 0..200_000_u64 {
        garbage.push(char::from(u8::try_from(n.wrapping_mul(2_654_435_761) >> 7 & 0x7f).expect("ascii")));
    }
    for text in [
        garbage.as_str(),
        "\0\0\0",
        "[[[[",
        "a = \n= b\n",
        &"=".repeat(300_000),
        &"[".repeat(300_000),
        &"a.".repeat(100_000),
    ] {
        let drawn = project(text).bad();
        assert!(drawn.contains("is no TOML"), "{drawn}");
        assert!(drawn.lines().count() < 80 && drawn.len() < 20_000, "{drawn}");
    }
}

#[test]
fn a_mistake_of_form_is_drawn() {
    insta::assert_snapshot!(project("[parts.web]\nport = 80 80\nname = \"x\n").bad(), @r#"
    error: `jove.toml` is no TOML: string values must be quoted, expected literal string
     --> jove.toml:2:8
      |
    2 | port = 80 80
      |        ^^^^^

    error: `jove.toml` is no TOML: invalid basic string, expected `"`
     --> jove.toml:3:10
      |
    3 | name = "x
      |          ^
    "#);
}

#[test]
fn ten_megabytes_load() {
    let text = format!("[parts.a]\nx = \"{}\"\n", "y".repeat(10_000_000));
    assert_eq!(value(&project(&text).good(), "a", "x").len(), 10_000_002);
    let wrong = format!("{text}[part]\n{}", "#".repeat(100));
    assert!(project(&wrong).bad().len() < 500);
    let lines = "x = [\n".to_owned() + &"\"some words\",\n".repeat(100_000);
    assert!(project(&lines).bad().len() < 1000);
}

#[test]
fn only_a_file_is_a_file() {
    let sandbox = project("extends = [\"folder\", \"pipe\"]\n");
    fs_err::create_dir(sandbox.path("folder")).expect("folder");
    rustix::fs::mknodat(rustix::fs::CWD, sandbox.path("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .expect("pipe");
    insta::assert_snapshot!(sandbox.bad(), @r#"
    error: `ROOT/project/folder` is a folder, pipe or device, and no file
     --> jove.toml:1:12
      |
    1 | extends = ["folder", "pipe"]
      |            ^^^^^^^^ extended here

    error: `ROOT/project/pipe` is a folder, pipe or device, and no file
     --> jove.toml:1:22
      |
    1 | extends = ["folder", "pipe"]
      |                      ^^^^^^ extended here
    "#);
}

#[test]
fn a_file_that_others_can_write_is_refused() {
    let sandbox = Sandbox::new(&[("jove.toml", ""), ("jove.local.toml", "")]).profile("bare");
    fs_err::set_permissions(sandbox.path("jove.local.toml"), std::fs::Permissions::from_mode(0o666)).expect("mode");
    assert_eq!(
        sandbox.bad(),
        "error: `ROOT/project/jove.local.toml` is not trusted: everybody can write it; if it is to be: chown it to yourself, and chmod go-w it\n"
    );
}

#[test]
fn the_characters_of_marks_are_refused() {
    assert!(project("[parts.a]\nx = \"a\u{e000}b\"\n").bad().contains("U+E000"));
}

fn words() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[parts.a]\n",
        "[parts.b]\n",
        "[recipes.r]\n",
        "[require]\n",
        "[parts]\n",
        "like = \"a\"\n",
        "like = \"b\"\n",
        "x.add = [1]\n",
        "x.remove = [1]\n",
        "x = [1, 2]\n",
        "x = { add = [1] }\n",
        "x = \"${a.x:-${b}}\"\n",
        "when = { vars.A = [\"b\"] }\n",
        "when = 3\n",
        "needs = [\"a:ready\"]\n",
        "needs.add = [\"b\"]\n",
        "recipe = \"r\"\n",
        "recipe = \"s\"\n",
        "replace = true\n",
        "abstract = true\n",
        "extends = [\"jove.toml\", \"profile:demo\"]\n",
        "name = \"é\"\n",
        "[a.b]\n",
        "\"wsgi.debug\" = \"off\"\n",
        "[[parts]]\n",
        "[parts.a.x]\n",
        "a.b.c = 1\n",
        "\u{feff}",
        "é = 'x'\n",
        "[profile]\n",
        "]",
        "\"",
        "'''",
        "\\",
        "\r",
        "{",
        "=",
        "#",
    ]);
    prop::collection::vec(prop_oneof![4 => piece.prop_map(str::to_owned), 1 => "\\PC{0,6}"], 0..14)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_text_makes_loading_panic(below in words(), above in words(), local in words(), set in "([ab]\\.(x|needs|when|recipe)(\\.y)?[+-]?=)?\\PC{0,12}") {
        let sandbox = two(&below, &above).set(&set).var("JOVE_SET_A__X", &set);
        sandbox.write("jove.local.toml", local.as_bytes());
        match sandbox.load() {
            Ok((_, warnings)) => assert!(!warnings.has_errors()),
            Err(found) => {
                assert!(found.has_errors());
                let _ = draw(&found, true);
            }
        }
    }

    #[test]
    fn no_bytes_make_loading_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(found) = bytes(&content).load() {
            let _ = draw(&found, false);
        }
    }
}
