//! The table `limits`, in the words of recipes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use toml::Value;

use crate::service::Limits;
use crate::service::amount::size;
use crate::service::group::{self, Totals};
use crate::service::limit::{self, Resource};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    core: Option<Bound>,
    cpu: Option<Bound>,
    files: Option<Bound>,
    locked: Option<Bound>,
    memory: Option<Bound>,
    open: Option<Bound>,
    processes: Option<Bound>,
    stack: Option<Bound>,
    #[serde(default, deserialize_with = "nice")]
    nice: Option<i32>,
    #[serde(default, deserialize_with = "umask")]
    umask: Option<u32>,
    #[serde(default, deserialize_with = "oom")]
    oom: Option<i32>,
    #[serde(default, deserialize_with = "total_memory")]
    total_memory: Option<u64>,
    #[serde(default, deserialize_with = "total_cpu")]
    total_cpu: Option<u32>,
    #[serde(default, deserialize_with = "total_processes")]
    total_processes: Option<u32>,
}

/// A number, a size, or as much as this user may have.
struct Bound(Option<u64>);

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "most" => Ok(Self(None)),
            value => match amount(&value) {
                Some(number) => Ok(Self(Some(number))),
                None => Err(wrong(&value, "a number, a size (`\"1GiB\"`) or `\"most\"`")),
            },
        }
    }
}

impl LimitsTable {
    pub(super) fn limits(self) -> Limits {
        let resources = [
            (Resource::Core, self.core),
            (Resource::Cpu, self.cpu),
            (Resource::Files, self.files),
            (Resource::Locked, self.locked),
            (Resource::Memory, self.memory),
            (Resource::Open, self.open),
            (Resource::Processes, self.processes),
            (Resource::Stack, self.stack),
        ];
        let resources: BTreeMap<_, _> =
            resources.into_iter().filter_map(|(resource, bound)| Some((resource, bound?.0))).collect();
        let total = Totals { memory: self.total_memory, cpu: self.total_cpu, processes: self.total_processes };
        Limits { resources, nice: self.nice, umask: self.umask, oom: self.oom, total }
    }
}

/// Bytes, or a number of something.
fn amount(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => size(text).and_then(|number| u64::try_from(number).ok()),
        Value::Array(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Float(_) | Value::Table(_) => None,
    }
}

fn wrong<E: serde::de::Error>(value: &Value, wanted: &str) -> E {
    E::custom(format!("{value} is not {wanted}"))
}

fn bounded<'de, D, T>(deserializer: D, range: &RangeInclusive<i64>) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: TryFrom<i64>,
{
    let value = Value::deserialize(deserializer)?;
    let number = value.as_integer().filter(|number| range.contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| wrong(&value, &format!("a number from {} to {}", range.start(), range.end())))
}

fn nice<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    bounded(deserializer, &limit::NICE)
}

fn oom<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    bounded(deserializer, &limit::OOM)
}

fn total_cpu<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    bounded(deserializer, &group::TOTAL_CPU)
}

fn total_processes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    bounded(deserializer, &group::TOTAL_PROCESSES)
}

fn total_memory<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let bytes = amount(&value).filter(|bytes| *bytes > 0);
    bytes.map(Some).ok_or_else(|| wrong(&value, "a number of bytes or a size (`\"1GiB\"`)"))
}

fn umask<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let mask = value.as_str().and_then(limit::umask);
    mask.map(Some).ok_or_else(|| wrong(&value, "a mask such as `\"027\"`"))
}
