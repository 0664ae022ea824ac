//! What counts as up, where one service needs another.

/// When a needed service is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeedCondition {
    /// Its process runs.
    Started,
    /// Its probe answers (without a probe: started).
    #[default]
    Ready,
    /// It ran once and exited with 0.
    Succeeded,
}
