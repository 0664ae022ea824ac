//! What a step or a build is given. It runs while its object is made, and what it makes is kept in the store: no secret may come to
//! it, neither as a word nor by a file that shows one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Origin};
use crate::digest::Digest;
use crate::name::PartName;
use crate::plan::action::{Action, StepAction};
use crate::plan::desire::Lowering;
use crate::plan::key;
use crate::plan::secret::Sealed;
use crate::plan::value::{is_word, seconds, text_of, texts};
use crate::recipe::{EdgeKind, OptionValue, ResolvedPart};
use crate::text::Text;

/// How long a step may take whose recipe says nothing.
const STEP_TIMEOUT: Duration = Duration::from_secs(7200);

const WHEN: &str = "secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs \
                    before its service";

impl Lowering<'_> {
    pub(super) fn step(&mut self, part: &ResolvedPart) -> (Digest, Action, BTreeSet<String>) {
        let value = |option: &str| part.options.get(option).map(|option| &option.value);
        let command = texts(value("command")).iter().map(|text| self.step_text(part, text)).collect();
        let mut vars = BTreeMap::new();
        if let Some(OptionValue::Text(path)) = value("path") {
            vars.insert("PATH".to_owned(), self.step_text(part, path));
        }
        for option in ["vars", "more_vars"] {
            vars.extend(self.step_vars(part, value(option)));
        }
        let folder = match value("folder") {
            Some(OptionValue::Text(text)) => Some(self.step_text(part, text)),
            _ => None,
        };
        let inputs = texts(value("inputs")).iter().map(|text| self.input(part, text)).collect();
        let files = self.files(part);
        for file in files.files.iter().filter(|file| file.secret) {
            let message = format!(
                "the step `{}` has a file {} that shows a secret: its command would read the secret's name, not its word",
                part.name,
                file.path.display()
            );
            self.refuse(Diagnostic::error(message).at(&part.origin, "").hint(WHEN));
        }
        let step = StepAction {
            command,
            vars,
            folder,
            files,
            timeout: seconds(value("timeout")).unwrap_or(STEP_TIMEOUT),
            is_sandbox_required: is_word(value("sandbox"), "required"),
        };
        let key = key::of_step(&step, &inputs, &self.snapshot.platform, &self.snapshot.store);
        let impure = BTreeSet::from(["made by a command of this machine".to_owned()]);
        (key, Action::Step(step), impure)
    }

    /// What a step reads, and the digest of it; what is in another object is known by its path.
    fn input(&mut self, part: &ResolvedPart, text: &Text) -> (String, Digest) {
        let path = self.step_text(part, text);
        let digest = self.snapshot.trees.get(Path::new(&path)).copied().unwrap_or_else(|| Digest::of(&path));
        (path, digest)
    }

    pub(super) fn step_vars(&mut self, part: &ResolvedPart, value: Option<&OptionValue>) -> BTreeMap<String, String> {
        let Some(OptionValue::Table(table)) = value else { return BTreeMap::new() };
        let given = table.iter().filter(|(_, word)| **word != OptionValue::None);
        given.map(|(name, word)| (name.clone(), self.step_text(part, &text_of(word)))).collect()
    }

    /// A text that a step or build is given.
    pub(super) fn step_text(&mut self, part: &ResolvedPart, text: &Text) -> String {
        let text = self.others(part, text);
        if let Some(secret) = text.secrets().next() {
            let what =
                format!("is given the secret `{}.{}`, and what it makes would hold it", secret.part, secret.option);
            self.refuse_secret(part, &secret.part.clone(), EdgeKind::Value, &what);
        } else if let Some(sealed) = self.sealed.iter().find(|sealed| sealed.is_named_by(&text)) {
            let Sealed { part: other, path, .. } = sealed.clone();
            let what = format!(
                "is given {} of `{other}`, which shows a secret: it would read the secret's name, not its word",
                path.display()
            );
            self.refuse_secret(part, &other, EdgeKind::Object, &what);
        }
        text.to_marked()
    }

    fn refuse_secret(&mut self, part: &ResolvedPart, of: &PartName, kind_of_edge: EdgeKind, what: &str) {
        let kind = if part.action == "step" { "step" } else { "build of" };
        let origin = origin_of(part, of, kind_of_edge);
        self.refuse(Diagnostic::error(format!("the {kind} `{}` {what}", part.name)).at(origin, "").hint(WHEN));
    }

    /// A file that names another part's file with a secret would lead whoever reads it to the secret's name.
    pub(super) fn check_names(&mut self, part: &ResolvedPart, path: &Path, content: &Text) {
        let Some(Sealed { part: other, path: named, .. }) =
            self.sealed.iter().find(|sealed| sealed.is_in(content)).cloned()
        else {
            return;
        };
        let named = named.display();
        let message = format!("{} of `{}` names {named} of `{other}`, which shows a secret", path.display(), part.name);
        let hint = format!(
            "the store holds only the secret's name: give the service `${{{other}}}/{named}` as an argument or a variable, and the \
             file is rendered when it starts"
        );
        let origin = origin_of(part, &other, EdgeKind::Object);
        self.refuse(Diagnostic::error(message).at(origin, "").hint(hint));
    }
}

/// Where a part refers to another, best in this way.
fn origin_of<'p>(part: &'p ResolvedPart, to: &PartName, kind: EdgeKind) -> &'p Origin {
    let edges = || part.edges.iter().filter(|edge| &edge.to == to);
    edges().find(|edge| edge.kind == kind).or_else(|| edges().next()).map_or(&part.origin, |edge| &edge.origin)
}
