//! Tables for reading.

/// Rows with the first column to the left, the others to the right; columns without a value are left out.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let used = (0..columns).filter(|&column| rows.iter().skip(1).any(|row| !row[column].is_empty()));
    let used: Vec<(usize, usize)> =
        used.map(|column| (column, rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))).collect();
    let line = |row: &Vec<String>| {
        let cells = used.iter().map(|&(column, width)| match column {
            0 => format!("{:width$}", row[column]),
            _ => format!("{:>width$}", row[column]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_values_are_left_out() {
        let rows = [["file", "a", "b"], ["x.wav", "1", ""], ["all", "22", ""]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(aligned(&rows), ["file    a", "x.wav   1", "all    22"]);
    }
}
