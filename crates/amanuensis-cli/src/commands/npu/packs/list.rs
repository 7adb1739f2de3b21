//! `npu packs list`: what is here.

use amanuensis_npu::packs::installed;
use serde::Serialize;

use super::{Stop, print_json, print_text};
use crate::args::NpuPacksList;

/// A pack, or why it is none.
#[derive(Serialize)]
struct Row {
    folder: String,
    name: Option<String>,
    generation: Option<String>,
    columns: Option<u16>,
    operation: Option<String>,
    refused: Option<String>,
}

pub(super) fn run(asked: &NpuPacksList) -> Result<u8, Stop> {
    let folder = asked.folder.path();
    let rows: Vec<Row> = installed(&folder, None)
        .into_iter()
        .map(|(path, pack)| {
            let folder = path.display().to_string();
            match pack {
                Ok(pack) => {
                    let operation = &pack.manifest.operation;
                    let tile = operation.tile;
                    let words = [word(&operation.family), word(&operation.input), word(&operation.output)];
                    let [family, input, output] = words;
                    Row {
                        folder,
                        name: Some(pack.manifest.name.clone()),
                        generation: Some(pack.manifest.device.generation.to_string()),
                        columns: Some(pack.manifest.device.columns),
                        operation: Some(format!(
                            "{family} {input} to {output}, tiles of {} x {} x {}",
                            tile.m, tile.k, tile.n
                        )),
                        refused: None,
                    }
                }
                Err(error) => Row {
                    folder,
                    name: None,
                    generation: None,
                    columns: None,
                    operation: None,
                    refused: Some(error.to_string()),
                },
            }
        })
        .collect();
    if asked.json {
        print_json(&rows)?;
        return Ok(0);
    }
    if rows.is_empty() {
        let advice = "build the overlay of this project's sources on a machine with its compiler, and import it";
        print_text(&format!("no packs in {}; {advice}", folder.display()))?;
        return Ok(0);
    }
    let line = |row: &Row| match (&row.name, &row.generation, row.columns, &row.operation) {
        (Some(name), Some(generation), Some(columns), Some(operation)) => {
            format!("{name}  {generation}, {columns} columns: {operation}  {}", row.folder)
        }
        _ => format!("REFUSED  {}: {}", row.folder, row.refused.as_deref().unwrap_or_default()),
    };
    print_text(&rows.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    Ok(0)
}

/// A word of a manifest as it stands there.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "?".to_owned(),
    }
}
