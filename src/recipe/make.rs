//! What a part's object is made of: rendered and copied files, folders of sources; and what its data is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Origin};
use crate::name::nearest;
use crate::profile::Value;
use crate::recipe::evaluate::{Evaluator, Failed, Place, Slot};
use crate::recipe::path::inside;
use crate::recipe::schema::{Content, FileForm, OptionType, SourceForm, When, Written};
use crate::recipe::stack::{FilePart, OptionValue, SourceTree};
use crate::recipe::{Catalogue, value};
use crate::template::{self, Templates, with_header};
use crate::text::{MARK_CLOSE, MARK_OPEN, Piece, Text};

/// Renders and reads files; each template is compiled once, each copied file read once.
#[derive(Default)]
pub(super) struct Maker {
    templates: Templates,
    texts: BTreeMap<String, Option<Arc<str>>>,
}

/// One file to make, before its content.
struct Wish<'f> {
    form: &'f FileForm,
    path: PathBuf,
    executable: bool,
}

impl Evaluator<'_, '_> {
    /// Whether a `when` of the recipe holds for a part. An option that failed holds nothing: its mistake was told.
    pub(super) fn holds(&self, part: usize, when: &When) -> bool {
        let recipe = self.world.parts[part].recipe;
        when.0.iter().all(|(name, wished)| {
            let kind = recipe.option(name.as_str()).map(|option| &option.kind);
            let value = self.option(part, name.as_str());
            kind.zip(value).is_some_and(|(kind, value)| value::answers(kind, value, wished))
        })
    }

    /// The files of a part's object.
    pub(super) fn files(&mut self, part: usize, maker: &mut Maker) -> Vec<FilePart> {
        let recipe = self.world.parts[part].recipe;
        let mut made = Vec::new();
        let mut values = None;
        for form in &recipe.files {
            if !self.holds(part, &form.when) {
                continue;
            }
            match &form.each {
                None => made.extend(self.file(&Place::of(part), form, maker, &mut values)),
                Some(each) => {
                    for item in &self.items(part, each) {
                        let place = Place { item: Some(item), ..Place::of(part) };
                        made.extend(self.file(&place, form, maker, &mut values));
                    }
                }
            }
        }
        self.twice(part, &made);
        made
    }

    fn twice(&mut self, part: usize, made: &[FilePart]) {
        let mut seen: BTreeMap<&Path, ()> = BTreeMap::new();
        for file in made {
            if seen.insert(&file.path, ()).is_some() {
                let part = &self.world.parts[part];
                let said = format!("part `{}` makes the file `{}` twice", part.name, file.path.display());
                self.wrong.push(Diagnostic::error(said).at(&part.origin, ""));
            }
        }
    }

    fn file(
        &mut self,
        place: &Place<'_>,
        form: &FileForm,
        maker: &mut Maker,
        values: &mut Option<template::Value>,
    ) -> Option<FilePart> {
        let path = self.inside(place, &form.path, "the path of a file").ok()?;
        let executable = self.written(place, &OptionType::Bool, &form.executable).ok()?;
        let wish = Wish { form, path, executable: executable == OptionValue::Bool(true) };
        let (content, template) = match &form.content {
            Content::Copy(written) => self.copied(place, written, maker).ok()?,
            Content::Template(written) => {
                let name = self.plain(place, written, "the name of a template").ok()?;
                let is_own = !value::has_references(&written.0);
                let origin = self.said_in_item(place, written);
                self.rendered(place, &wish, (&name, is_own, &origin), maker, values).ok()?
            }
            Content::Inline(written) => self.inline(place, &wish, written, maker, values).ok()?,
        };
        Some(FilePart { path: wish.path, executable: wish.executable, content, reloadable: form.reloadable, template })
    }

    fn copied(&mut self, place: &Place<'_>, written: &Written, maker: &mut Maker) -> Result<(Text, String), Failed> {
        let name = self.plain(place, written, "the name of a file to copy")?;
        let own = &self.world.parts[place.part].recipe.name;
        let (recipe, path) = name.split_once(':').unwrap_or((own, &name));
        let text = self.recipe_text(place, recipe, path, &written.1, maker)?;
        let mut made = Text::default();
        made.push(Piece::Literal(text.to_string()));
        Ok((made, format!("{recipe}/{path}")))
    }

    fn inline(
        &mut self,
        place: &Place<'_>,
        wish: &Wish<'_>,
        written: &Written,
        maker: &mut Maker,
        values: &mut Option<template::Value>,
    ) -> Result<(Text, String), Failed> {
        let Value::String(text) = &written.0 else {
            let said = Diagnostic::error("`content` of a file must be a text").at(&written.1, "");
            return Err(self.say(place, said));
        };
        let (line, _) = written.1.line_column();
        let name = format!("{}:{line}", written.1.source.name);
        if !maker.templates.has(&name)
            && let Err(said) = maker.templates.add(&name, text)
        {
            return Err(self.say(place, said));
        }
        self.render(place, wish, &name, maker, values)
    }

    fn rendered(
        &mut self,
        place: &Place<'_>,
        wish: &Wish<'_>,
        (path, is_own, origin): (&str, bool, &Origin),
        maker: &mut Maker,
        values: &mut Option<template::Value>,
    ) -> Result<(Text, String), Failed> {
        let own = &self.world.parts[place.part].recipe.name;
        let (recipe, path) = path.split_once(':').filter(|_| is_own).unwrap_or((own, path));
        let name = if is_own { format!("{recipe}/{path}") } else { path.to_owned() };
        if !maker.templates.has(&name) {
            let text = match is_own {
                true => self.recipe_text(place, recipe, path, origin, maker)?,
                false => self.project_text(place, path, origin)?,
            };
            if let Err(said) = maker.templates.add(&name, &text) {
                return Err(self.say(place, said));
            }
        }
        self.render(place, wish, &name, maker, values)
    }

    fn render(
        &mut self,
        place: &Place<'_>,
        wish: &Wish<'_>,
        name: &str,
        maker: &mut Maker,
        values: &mut Option<template::Value>,
    ) -> Result<(Text, String), Failed> {
        if values.is_none() {
            *values = Some(self.template_values(place.part)?);
        }
        let Some(values) = values else { return Err(Failed) };
        let part = &self.world.parts[place.part];
        let rendered = maker.templates.render(name, values);
        let rendered = rendered.map_err(|said| {
            self.wrong.push(said.at(&part.origin, format!("for part `{}`", part.name)));
            Failed
        })?;
        let text = with_header(&wish.path.to_string_lossy(), name, rendered);
        match Text::from_marked(&text) {
            Ok(text) => Ok((text, name.to_owned())),
            Err(broken) => {
                let said = Diagnostic::error(format!("template `{name}` cannot be used: {broken}"));
                let said = said.at(&wish.form.path.1, "rendered for this file");
                Err(self
                    .say(place, said.hint("write the value as it is, or quote it by `py`, `tojson` or `shell_quote`")))
            }
        }
    }

    /// A text beside a recipe.
    fn recipe_text(
        &mut self,
        place: &Place<'_>,
        recipe: &str,
        path: &str,
        origin: &Origin,
        maker: &mut Maker,
    ) -> Result<Arc<str>, Failed> {
        let name = format!("{recipe}/{path}");
        if let Some(Some(text)) = maker.texts.get(&name) {
            return Ok(Arc::clone(text));
        }
        let catalogue = self.world.catalogue;
        if catalogue.find(recipe).is_none() {
            let said = Diagnostic::error(format!("there is no recipe called `{recipe}`")).at(origin, "");
            return Err(self.say(place, said.nearest(recipe, catalogue.names())));
        }
        let Some(bytes) = inside(path).and_then(|_| catalogue.file(recipe, path)) else {
            let said = format!("recipe `{recipe}` has no file `{path}`");
            let files = catalogue.file_list(recipe);
            let said = Diagnostic::error(said).at(origin, "").nearest(path, files.iter().map(String::as_str));
            return Err(self.say(place, said));
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            let said = format!("file `{path}` of recipe `{recipe}` is no text: it must be UTF-8");
            return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
        };
        if text.contains([MARK_OPEN, MARK_CLOSE]) {
            let said = format!(
                "file `{path}` of recipe `{recipe}` holds a character (U+E000 or U+E001) that no file may hold"
            );
            return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
        }
        let text: Arc<str> = Arc::from(text);
        maker.texts.insert(name, Some(Arc::clone(&text)));
        Ok(text)
    }

    /// A template of the project's own; of an example, out of the binary.
    fn project_text(&mut self, place: &Place<'_>, path: &str, origin: &Origin) -> Result<Arc<str>, Failed> {
        let project = &self.world.definition.project;
        let file = crate::recipe::path::normalised(&project.folder.join(path));
        match self.world.catalogue.project_file(project, &file) {
            Ok(text) => Ok(Arc::from(text)),
            Err(error) => {
                let said = Diagnostic::error(format!("a template cannot be read: {error}")).at(origin, "");
                let names = self.world.catalogue.project_names(project, file.parent().unwrap_or(&file));
                Err(self.say(place, beside(said, Path::new(path), &names)))
            }
        }
    }

    /// What a template sees: options, exports, and what every part has.
    fn template_values(&self, part: usize) -> Result<template::Value, Failed> {
        let active = &self.world.parts[part];
        let layout = self.world.surroundings.layout;
        let names = active.recipe.options.iter().map(|option| option.name.as_str());
        let names = names.chain(active.recipe.exports.iter().map(|(name, _)| name.as_str()));
        let mut values: BTreeMap<String, template::Value> = BTreeMap::new();
        // An option of the name of an export is what its own templates mean.
        for (name, slot) in names.zip(&self.slots[part]) {
            let Slot::Done(value) = slot else { return Err(Failed) };
            values.entry(name.to_owned()).or_insert_with(|| shown(value));
        }
        let run = self.world.surroundings.run.join(active.name.as_str());
        for (name, value) in [
            ("data", layout.data(&active.name).display().to_string()),
            ("host_name", self.world.surroundings.host_name.to_owned()),
            ("log", layout.log().display().to_string()),
            ("name", active.name.to_string()),
            ("object", Text::object(active.name.clone()).to_marked()),
            ("prefix", layout.root().display().to_string()),
            ("profile", self.world.definition.profile.clone()),
            ("project", self.world.definition.project.name.clone()),
            ("project_folder", self.world.definition.project.folder.display().to_string()),
            ("run", run.display().to_string()),
        ] {
            values.insert(name.to_owned(), value.into());
        }
        Ok(values.into())
    }

    /// The source folders of a part's object.
    pub(super) fn sources(&mut self, part: usize) -> Vec<SourceTree> {
        let recipe = self.world.parts[part].recipe;
        let held: Vec<&SourceForm> = recipe.sources.iter().filter(|form| self.holds(part, &form.when)).collect();
        held.into_iter().filter_map(|form| self.source_tree(part, form).ok().flatten()).collect()
    }

    fn source_tree(&mut self, part: usize, form: &SourceForm) -> Result<Option<SourceTree>, Failed> {
        let place = Place::of(part);
        let text = match self.written(&place, &OptionType::Path, &form.from)? {
            OptionValue::Text(text) => text,
            _ => return Ok(None),
        };
        let to = self.inside(&place, &form.to, "where a source goes")?;
        let (object, from) = match text.pieces() {
            [Piece::Object { object, .. }] => (Some(object.clone()), PathBuf::new()),
            [Piece::Object { object, .. }, Piece::Literal(below)] if below.starts_with('/') => {
                (Some(object.clone()), PathBuf::from(below.trim_start_matches('/')))
            }
            _ => match text.as_plain() {
                Some(plain) => (None, PathBuf::from(plain)),
                None => {
                    let said = Diagnostic::error(format!("`{text}` is no folder that can be copied"));
                    return Err(self.say(&place, said.at(&form.from.1, "")));
                }
            },
        };
        Ok(Some(SourceTree { from, object, to, origin: self.said_by(part, &form.from) }))
    }

    /// A text without secrets or objects.
    pub(super) fn plain(&mut self, place: &Place<'_>, written: &Written, what: &str) -> Result<String, Failed> {
        match self.written(place, &OptionType::String, written)? {
            OptionValue::Text(text) => self.plain_text(place, &text, what, &written.1),
            _ => {
                let said = Diagnostic::error(format!("{what} is nothing")).at(&self.said_in_item(place, written), "");
                Err(self.say(place, said))
            }
        }
    }

    /// The characters of a text that may hold neither secrets nor objects.
    pub(super) fn plain_text(
        &mut self,
        place: &Place<'_>,
        text: &Text,
        what: &str,
        origin: &Origin,
    ) -> Result<String, Failed> {
        if let Some(plain) = text.as_plain() {
            return Ok(plain.to_owned());
        }
        let found = if text.is_secret() { "a secret" } else { "the folder of an object" };
        let said = Diagnostic::error(format!("{what} cannot hold {found} (`{text}`)")).at(origin, "");
        Err(self.say(place, said))
    }

    fn inside(&mut self, place: &Place<'_>, written: &Written, what: &str) -> Result<PathBuf, Failed> {
        let plain = self.plain(place, written, what)?;
        inside(&plain).ok_or_else(|| {
            let said = format!("{what} must be inside the part's own folder, but is `{plain}`");
            let origin = self.said_in_item(place, written);
            self.say(place, Diagnostic::error(said).at(&origin, "no `/` before it, and no `..`"))
        })
    }
}

impl Catalogue {
    /// A text of the project; of an example, out of the binary.
    fn project_file(&self, project: &crate::profile::Project, file: &Path) -> Result<String, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.display());
        let Some(recipe) = &project.example else {
            self.note(file);
            return fs_err::read_to_string(file).map_err(|error| error.to_string());
        };
        let wanted = file.strip_prefix(&project.folder).map_err(|_| unreadable(&"it is not in the example"))?;
        let found = self.example_files(recipe).into_iter().find(|(path, _)| path == wanted);
        let (_, bytes) = found.ok_or_else(|| unreadable(&"the example has no such file"))?;
        String::from_utf8(bytes).map_err(|error| unreadable(&error))
    }

    /// The names of the files in a folder of the project.
    fn project_names(&self, project: &crate::profile::Project, folder: &Path) -> Vec<String> {
        let names: Vec<OsString> = match &project.example {
            None => {
                let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
                entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect()
            }
            Some(recipe) => {
                let files = self.example_files(recipe).into_iter().map(|(path, _)| project.folder.join(path));
                let beside = files.filter(|file| file.parent() == Some(folder));
                beside.filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect()
            }
        };
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }
}

/// Says which of the files beside a path may be meant: the nearest, else those of its kind if they are few.
fn beside(said: Diagnostic, path: &Path, names: &[String]) -> Diagnostic {
    const FEW: usize = 5;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let shown = |name: &str| path.with_file_name(name).display().to_string();
    if let Some(near) = nearest(&name, names.iter().map(String::as_str)) {
        return said.hint(format!("did you mean `{}`?", shown(near)));
    }
    let alike = names.iter().filter(|name| Path::new(name).extension() == path.extension());
    let alike: Vec<String> = alike.map(|name| format!("`{}`", shown(name))).collect();
    if (1..=FEW).contains(&alike.len()) { said.hint(format!("beside it: {}", alike.join(", "))) } else { said }
}

/// A value as a template sees it.
fn shown(value: &OptionValue) -> template::Value {
    match value {
        OptionValue::Bool(truth) => (*truth).into(),
        OptionValue::Float(number) => (*number).into(),
        OptionValue::Int(number) => (*number).into(),
        OptionValue::List(list) => list.iter().map(shown).collect::<Vec<_>>().into(),
        OptionValue::None => ().into(),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number, bounded when it was read")]
        OptionValue::Seconds(number) if number.fract() == 0.0 => (*number as i64).into(),
        OptionValue::Seconds(number) => (*number).into(),
        OptionValue::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), shown(value))).collect::<BTreeMap<_, _>>().into()
        }
        OptionValue::Text(text) => text.to_marked().into(),
    }
}
