//! Amounts as people write them.

/// Reads `10485760`, `10MiB`, `10MB`, `1GB`.
#[must_use]
pub fn size(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 15] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("k", 1024.0),
        ("K", 1024.0),
        ("M", 1_048_576.0),
        ("G", 1_073_741_824.0),
        ("T", 1_099_511_627_776.0),
        ("B", 1.0),
    ];
    let text = text.trim();
    if let Ok(bytes) = text.parse::<i64>() {
        return (bytes >= 0).then_some(bytes);
    }
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let bytes = (decimal(number)? * factor).round();
    #[expect(clippy::cast_possible_truncation, reason = "checked against 2^53 in the same line")]
    (bytes <= 9_007_199_254_740_992.0).then_some(bytes as i64)
}

/// A number of digits and at most one point: no sign, no exponent, no `inf`.
#[must_use]
pub fn decimal(text: &str) -> Option<f64> {
    let text = text.trim_end();
    let is_plain =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_plain { text.parse().ok() } else { None }
}
