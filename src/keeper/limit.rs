//! A service's limits, in the words of the system.

use rustix::process::{Resource as Known, Rlimit, getrlimit};

use crate::service::Limits;
use crate::service::limit::Resource;

/// The limits of a new process: `files` is what the keeper was started with, others are inherited.
///
/// # Errors
/// If one is above what this user may have, in words.
pub(super) fn of(limits: &Limits, files: Rlimit) -> Result<Vec<(Known, Rlimit)>, String> {
    let mut made = Vec::new();
    if !limits.resources.contains_key(&Resource::Open) {
        made.push((Known::Nofile, files));
    }
    for (resource, wanted) in &limits.resources {
        let known = known(*resource);
        let most = getrlimit(known).maximum;
        let limit = match (wanted, most) {
            (Some(wanted), Some(most)) if *wanted > most => {
                let word = resource.word();
                return Err(format!("its limit `{word}` of {wanted} is above what you may have here, {most}"));
            }
            (Some(wanted), _) => Some(*wanted),
            (None, most) => most,
        };
        made.push((known, Rlimit { current: limit, maximum: limit }));
    }
    Ok(made)
}

const fn known(resource: Resource) -> Known {
    match resource {
        Resource::Core => Known::Core,
        Resource::Cpu => Known::Cpu,
        Resource::Files => Known::Fsize,
        Resource::Locked => Known::Memlock,
        Resource::Memory => Known::As,
        Resource::Open => Known::Nofile,
        Resource::Processes => Known::Nproc,
        Resource::Stack => Known::Stack,
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource as Known, Rlimit};

    use super::of;
    use crate::service::Limits;
    use crate::service::limit::Resource;

    #[test]
    fn what_is_not_said_is_as_before() {
        let files = Rlimit { current: Some(7), maximum: Some(9) };
        assert_eq!(of(&Limits::default(), files), Ok(vec![(Known::Nofile, files)]));
        let said =
            Limits { resources: [(Resource::Open, Some(5)), (Resource::Core, Some(0))].into(), ..Limits::default() };
        let one = |number| Rlimit { current: Some(number), maximum: Some(number) };
        assert_eq!(of(&said, files), Ok(vec![(Known::Core, one(0)), (Known::Nofile, one(5))]));
    }
}
