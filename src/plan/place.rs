//! Services and promises with final paths: objects become their folders, files with secrets those that are rendered.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::name::PartName;
use crate::plan::desire::Lowering;
use crate::plan::secret::{Sealed, rendered_paths, replaced_paths};
use crate::recipe::{ResolvedPart, marked_path, text_of_path};
use crate::service::{ConfFile, DataCommand, Kind, Probe, ProbeKind, Promise, SecretFile, ServiceSpec};
use crate::text::Text;

impl Lowering<'_> {
    pub(super) fn service(&mut self, part: &ResolvedPart, spec: &ServiceSpec) -> ServiceSpec {
        let mut spec = spec.clone();
        let conf = self.conf_files(part, &spec);
        let is_conf = |file: &SecretFile| conf.iter().any(|conf| conf.sealed == file.sealed);
        let mut files = self.own_secret_files(part, &spec.name);
        files.retain(|file| !is_conf(file));
        let name = spec.name.clone();
        let mut named = BTreeSet::new();
        let mut place = |text: &Text| {
            let placed = self.with_folders(part, text);
            let linked = conf.iter().fold(placed, |text, file| {
                let linked = replaced_paths(&text, &file.sealed, &file.link);
                if linked != text {
                    named.insert(file.link.clone());
                }
                linked
            });
            self.with_secret_files(part, &name, linked, &mut files)
        };
        if let Kind::Step { key } = &mut spec.kind
            && let Ok(text) = Text::from_marked(key)
        {
            *key = place(&text).to_string();
        }
        spec.command = spec.command.iter().map(&mut place).collect();
        spec.on_failed = spec.on_failed.iter().map(&mut place).collect();
        spec.vars = spec.vars.iter().map(|(name, text)| (name.clone(), place(text))).collect();
        let reads = spec.reads.iter_mut().flatten();
        for path in spec.watch.iter_mut().chain([&mut spec.folder]).chain(&mut spec.folders).chain(reads) {
            *path = marked_path(&place(&text_of_path(path)));
        }
        for probe in spec.ready.iter_mut().chain(spec.live.iter_mut().map(|live| &mut live.probe)) {
            place_probe(probe, &mut place);
        }
        let own = spec.reads.take().into_iter().flatten();
        spec.reads = spec.writes.is_some().then(|| own.chain(self.sight(part, &spec)).collect());
        spec.secret_files = files;
        spec.conf = conf.into_iter().filter(|file| named.contains(&file.link)).collect();
        spec
    }

    pub(super) fn data_command(&mut self, part: &ResolvedPart, command: &DataCommand) -> DataCommand {
        DataCommand { spec: self.service(part, &command.spec), ..command.clone() }
    }

    /// The files of a part that its service would read again by itself when it is told to.
    fn conf_files(&self, part: &ResolvedPart, spec: &ServiceSpec) -> Vec<ConfFile> {
        let folder = self.folders.get(&part.name).filter(|_| spec.reload.is_some() && spec.kind == Kind::Daemon);
        let Some(folder) = folder else { return Vec::new() };
        let files = part.files.iter().filter(|file| file.reloadable).map(|file| ConfFile {
            sealed: folder.join(&file.path),
            link: self.snapshot.run.join(part.name.as_str()).join("conf").join(&file.path),
            secret: self.sealed.iter().any(|sealed| sealed.part == part.name && sealed.path == file.path),
        });
        files.collect()
    }

    /// A promise is asked in the surroundings of the part's service, whose rendered files it may name.
    pub(super) fn promise(&mut self, part: &ResolvedPart, promise: &Promise) -> Promise {
        let mut promise = promise.clone();
        let mut files = self.own_secret_files(part, &part.name);
        place_probe(&mut promise.probe, &mut |text| self.place_text(part, &part.name, text, &mut files));
        promise
    }

    /// A text with the folders of objects, and rendered files in the place of sealed ones; these are noted.
    fn place_text(
        &mut self,
        part: &ResolvedPart,
        service: &PartName,
        text: &Text,
        files: &mut Vec<SecretFile>,
    ) -> Text {
        let text = self.with_folders(part, text);
        self.with_secret_files(part, service, text, files)
    }

    /// A text with the folders of objects in the place of their names.
    fn with_folders(&mut self, part: &ResolvedPart, text: &Text) -> Text {
        let text = self.others(part, text);
        match self.folders.get(&part.name) {
            Some(folder) => text.with_objects(|_| Some(folder)),
            None if text.objects().next().is_some() => {
                self.no_object(part, &part.name);
                text
            }
            None => text,
        }
    }

    fn own_secret_files(&self, part: &ResolvedPart, service: &PartName) -> Vec<SecretFile> {
        let own = self.sealed.iter().filter(|sealed| sealed.part == part.name);
        own.map(|sealed| sealed.for_service(service, &self.snapshot.run)).collect()
    }

    /// Puts rendered files in the place of sealed ones, and notes those of other parts that the service needs for that.
    fn with_secret_files(
        &mut self,
        part: &ResolvedPart,
        service: &PartName,
        text: Text,
        needed: &mut Vec<SecretFile>,
    ) -> Text {
        let mut text = text;
        let mut hidden = Vec::new();
        for sealed in &self.sealed {
            let file = sealed.for_service(service, &self.snapshot.run);
            let placed = rendered_paths(&text, &file);
            if placed != text && !needed.contains(&file) {
                needed.push(file);
            }
            text = placed;
            if sealed.part != part.name && sealed.is_below(&text) {
                hidden.push(sealed.clone());
            }
        }
        for sealed in hidden {
            self.hidden_secret(part, &sealed);
        }
        text
    }

    /// A program that is given the folder would find the secret's name in the file.
    fn hidden_secret(&mut self, part: &ResolvedPart, sealed: &Sealed) {
        let (other, path) = (&sealed.part, sealed.path.display());
        let edge = part.edges.iter().find(|edge| edge.to == sealed.part);
        let origin = edge.map_or(&part.origin, |edge| &edge.origin);
        let message = format!("`{}` is given a folder of `{other}` in which {path} shows a secret", part.name);
        let hint = format!(
            "the store holds no secret: name the file itself, `${{{other}}}/{path}`, which is rendered when `{}` starts",
            part.name
        );
        self.refuse(Diagnostic::error(message).at(origin, "").hint(hint));
    }
}

fn place_probe(probe: &mut Probe, place: &mut dyn FnMut(&Text) -> Text) {
    match &mut probe.kind {
        ProbeKind::Exec(command) => *command = command.iter().map(place).collect(),
        ProbeKind::Unix(path) => *path = marked_path(&place(&text_of_path(path))),
        ProbeKind::Http { .. } | ProbeKind::Log(_) | ProbeKind::Notify | ProbeKind::Tcp(_) => {}
    }
}
