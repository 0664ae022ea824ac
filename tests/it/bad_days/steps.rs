//! Steps and secrets: what stays in the store holds none.

use insta::assert_snapshot;

use crate::life::Life;

const KEYS: &str = "summary = \"a token\"\naction = \"files\"\n[options.token]\ntype = \"secret\"\ndefault = \"generate\"\n\
    doc = \"A token.\"\n[[file]]\npath = \"token\"\ncontent = \"{{ token }}\"\n";

#[test]
fn a_step_is_given_no_secret_neither_as_a_word_nor_by_a_file() {
    let life = Life::of(
        "[parts.made]\nrecipe = \"step\"\ncommand = [\"/bin/cp\", \"${keys}/token\", \"${.object}\"]\n\
         vars = { TOKEN = \"${keys.token}\" }\n[parts.keys]\nrecipe = \"keys\"\n",
    );
    life.sandbox.write("recipes/keys/recipe.toml", KEYS);
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the step `made` is given token of `keys`, which shows a secret: it would read the secret's name, not its word
     --> jove.toml:4:24
      |
    4 | command = ["/bin/cp", "${keys}/token", "${.object}"]
      |                        ^^^^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service

    error: the step `made` is given the secret `keys.token`, and what it makes would hold it
     --> jove.toml:5:19
      |
    5 | vars = { TOKEN = "${keys.token}" }
      |                   ^^^^^^^^^^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service
    ------- exit 1 -------
    "#);
    let folder = "command = [\"/bin/cp\", \"-r\", \"${keys}\", \"${.object}\"]\n";
    let input = "command = [\"/bin/true\"]\ninputs = [\"${keys}/token\"]\n";
    for (given, line) in [(folder, 4), (input, 5)] {
        life.define(&format!("[parts.made]\nrecipe = \"step\"\n{given}[parts.keys]\nrecipe = \"keys\"\n"));
        let said = life.run(&["plan"]).code(1);
        assert!(
            said.stderr().contains("error: the step `made` is given token of `keys`, which shows a secret"),
            "{}",
            said.text()
        );
        assert!(said.stderr().contains(&format!(" --> jove.toml:{line}:")), "{}", said.text());
    }
}

#[test]
fn a_step_has_no_file_with_a_secret() {
    let life = Life::of("[parts.made]\nrecipe = \"maker\"\n");
    let maker = KEYS.replace("action = \"files\"", "action = \"step\"")
        + "[options.command]\ntype = \"list\"\ndefault = [\"/bin/cat\", \"${.object}/token\"]\ndoc = \"It.\"\n";
    life.sandbox.write("recipes/maker/recipe.toml", maker);
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the step `made` has a file token that shows a secret: its command would read the secret's name, not its word
     --> jove.toml:2:8
      |
    2 | [parts.made]
      |        ^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service
    ------- exit 1 -------
    "#);
}

#[test]
fn a_file_does_not_lead_to_the_name_of_a_secret() {
    let life = Life::of(
        "[parts.conf]\nrecipe = \"file\"\nfiles = [{ template = \"a.conf\", path = \"a.conf\" }]\n\
         values = { token = \"${keys}/token\" }\n\
         [parts.keys]\nrecipe = \"keys\"\n",
    );
    life.sandbox.write("recipes/keys/recipe.toml", KEYS);
    life.sandbox.write("a.conf", "include {{ values.token }}");
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: a.conf of `conf` names token of `keys`, which shows a secret
     --> jove.toml:5:21
      |
    5 | values = { token = "${keys}/token" }
      |                     ^^^^^^^
    hint: the store holds only the secret's name: give the service `${keys}/token` as an argument or a variable, and the file is rendered when it starts
    ------- exit 1 -------
    "#);
}
