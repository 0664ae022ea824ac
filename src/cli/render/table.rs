//! Columns.

/// Rows as columns of equal width, two spaces apart; the last column runs on. Headings come first if there are any.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let all: Vec<&Vec<String>> = (!headings.is_empty()).then_some(&headings).into_iter().chain(rows).collect();
    let columns = all.iter().map(|row| row.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let lines = all.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let gap = if column + 1 == row.len() { 0 } else { widths[column] - width(cell) + 2 };
            format!("{cell}{}", " ".repeat(gap))
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    });
    lines.collect()
}

fn width(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().chars().count()
}

/// A number of bytes for people.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// A span of seconds for people: `12 ms`, `3.4 s`, `5 min 2 s`, `3 h 2 min`, `2 d 4 h`.
#[must_use]
pub fn seconds(span: f64) -> String {
    if span < 1.0 {
        format!("{:.0} ms", span * 1000.0)
    } else if span < 60.0 {
        format!("{span:.1} s")
    } else if span < 3600.0 {
        format!("{:.0} min {:.0} s", (span / 60.0).floor(), (span % 60.0).floor())
    } else if span < 86_400.0 {
        format!("{:.0} h {:.0} min", (span / 3600.0).floor(), (span % 3600.0 / 60.0).floor())
    } else {
        format!("{:.0} d {:.0} h", (span / 86_400.0).floor(), (span % 86_400.0 / 3600.0).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_last_runs_on() {
        let rows = [vec!["a".into(), "long".into(), "x".into()], vec!["bcd".into(), "e".into(), String::new()]];
        assert_eq!(table(&["N", "M"], &rows), "N    M\na    long  x\nbcd  e\n");
    }

    #[test]
    fn spans_read_well() {
        assert_eq!([seconds(0.0123), seconds(3.42), seconds(302.0)], ["12 ms", "3.4 s", "5 min 2 s"]);
        assert_eq!([seconds(3599.9), seconds(11_000.0), seconds(190_000.0)], ["59 min 59 s", "3 h 3 min", "2 d 4 h"]);
    }
}
