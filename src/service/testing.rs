//! Specs for tests.

use super::ServiceSpec;
use crate::text::Text;

/// A plain daemon.
pub(crate) fn spec(name: &str) -> ServiceSpec {
    ServiceSpec { command: vec![Text::literal("/bin/true")], ..ServiceSpec::bare(name.parse().expect("name")) }
}
