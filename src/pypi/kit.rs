//! [`Kit`]: what every piece of work with Python packages needs.

use std::path::Path;

use super::bytecode::Compiler;
use super::index::Index;
use super::interpreter::Interpreter;
use super::tool::Uv;
use crate::host::Host;
use crate::net::{Cache, Client};
use crate::process::Run;
use crate::progress::Reporter;

/// The tools of one part's work.
#[derive(Clone, Copy)]
pub struct Kit<'a> {
    /// The surroundings.
    pub host: &'a Host,
    /// The network.
    pub client: &'a Client,
    /// The download cache.
    pub cache: &'a Cache,
    /// The resolver and installer.
    pub uv: &'a Uv,
    /// Where packages come from.
    pub index: &'a Index,
    /// The Python that the packages are for.
    pub interpreter: &'a Interpreter,
    /// Who hears how it goes on.
    pub report: &'a Reporter,
    /// The file that gets everything that tools say.
    pub log: &'a Path,
}

impl Kit<'_> {
    /// What compiles with them.
    pub(super) fn compiler(&self) -> Compiler<'_> {
        let Self { host, cache, interpreter, report, log, .. } = *self;
        Compiler { host, cache, interpreter, report, log }
    }

    /// A run of uv that may ask the index. What uv caches for itself here is only ever data for decisions and what builds
    /// need; nothing is installed from it.
    pub(super) fn uv_online(&self) -> Run {
        let mut run = self.uv.run(self.host, &self.cache.root().join("uv"));
        for (name, value) in self.index.uv_vars() {
            run = run.var(&name, value);
        }
        if self.client.is_offline() {
            run = run.var("UV_OFFLINE", "1");
        }
        run.hide(self.index.hidden()).log(self.log)
    }
}
