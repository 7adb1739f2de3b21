//! The comparison: what was measured here, of other programs, of the roofs, and the goals beside it. A row is whole whatever is
//! missing of it, and says what is.

use serde::Serialize;
use serde_json::Value;

use super::findings::Findings;

/// The other programs, in the order of their columns.
pub(super) const PEERS: [&str; 2] = ["transformers", "faster-whisper"];

/// The pieces of work of `bench` that stand in the table, with what they are.
const PIECES: [(&str, &str); 10] = [
    ("long", "sound batched, whole"),
    ("window", "30 s of samples to 100 tokens"),
    ("window_beam5", "the same, beam of 5"),
    ("first_token", "30 s of samples to the first token"),
    ("encoder", "encoder, 1 window"),
    ("encoder_batch16", "encoder, 16 windows"),
    ("greedy_step", "step of 1 lane"),
    ("greedy_step_batch8", "step of 8 lanes"),
    ("greedy_step_batch64", "step of 64 lanes"),
    ("greedy_step_batch256", "step of 256 lanes"),
];

/// Those that peers do too.
const OF_PEERS: [&str; 5] = ["long", "window", "window_beam5", "encoder", "encoder_batch16"];

/// Times realtime that ten hours are to reach, by model.
const REALTIME: [(&str, f64); 3] = [("base", 10_000.0), ("large-v3-turbo", 3000.0), ("large-v3", 1000.0)];
/// What ten hours are to be beside faster-whisper's.
const TIMES_FASTER_WHISPER: f64 = 4.0;
/// Seconds that one window may take.
const WINDOW: [(&str, f64); 2] = [("large-v3-turbo", 0.060), ("base", 0.025)];
/// Parts of the roofs that are to be reached: by the encoder of this model, and by every step.
const OF_ROOF: f64 = 0.6;
const ENCODER_OF: &str = "large-v3-turbo";

/// A figure, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cell {
    /// Seconds, or times realtime.
    Number(f64),
    Missing(String),
}

impl Cell {
    fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some(*number),
            Cell::Missing(_) => None,
        }
    }
}

/// What is to be reached, and whether it is: not known where a figure is missing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Goal {
    pub(super) text: String,
    pub(super) met: Option<bool>,
}

/// A piece of work of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) model: String,
    /// The piece's name in `bench`.
    pub(super) piece: &'static str,
    pub(super) what: String,
    /// Whether figures are times realtime, of which more is better, and not seconds.
    pub(super) realtime: bool,
    pub(super) ours: Cell,
    /// In the order of `PEERS`.
    pub(super) peers: Vec<Cell>,
    pub(super) of_roof: Option<f64>,
    pub(super) goals: Vec<Goal>,
}

/// All rows of all models whose speed was asked for.
pub(super) fn rows(findings: &Findings) -> Vec<Row> {
    let of_model = |model: &String| PIECES.iter().map(|(piece, what)| row(findings, model, piece, what)).collect();
    findings.models.iter().flat_map(|model: &String| -> Vec<Row> { of_model(model) }).collect()
}

fn row(findings: &Findings, model: &str, piece: &'static str, what: &str) -> Row {
    let realtime = piece == "long";
    let runs = findings.bench.get(model).map_or(&[][..], Vec::as_slice);
    let run = runs.iter().rev().find(|run| run["measures"][piece].is_object());
    let ours = match run {
        Some(run) => {
            let figure = if realtime { &run["realtime"]["long"] } else { &run["measures"][piece]["median_seconds"] };
            figure.as_f64().map_or_else(|| Cell::Missing("not understood".to_owned()), Cell::Number)
        }
        None => Cell::Missing(missing(runs, piece)),
    };
    let what = match run.filter(|_| realtime).map(|run| (&run["long"]["minutes"], &run["long"]["together"])) {
        Some((minutes, together)) => format!("{minutes} min of {what}, {together} windows together"),
        None => what.to_owned(),
    };
    let peers: Vec<Cell> = PEERS.iter().map(|peer| of_peer(&findings.peers, peer, model, piece)).collect();
    let of_roof = run.and_then(|run| run["of_roof"][piece].as_f64());
    let mut row = Row { model: model.to_owned(), piece, what, realtime, ours, peers, of_roof, goals: Vec::new() };
    row.goals = goals(&row);
    row
}

/// Why there is no figure of ours.
fn missing(runs: &[Value], piece: &str) -> String {
    let reason = runs.iter().rev().find_map(|run| run["failed"][piece].as_str());
    reason.unwrap_or("not measured").to_owned()
}

fn of_peer(lines: &[Value], peer: &str, model: &str, piece: &str) -> Cell {
    let of_peer = || lines.iter().filter(|line| line["peer"] == peer && line["model"] == model);
    let Some(line) = of_peer().rfind(|line| line["what"] == piece) else {
        // A peer that cannot be had at all, or not this model, says so once.
        let whole = of_peer().chain(lines.iter().filter(|line| line["peer"] == peer && line["model"].is_null()));
        let reason = whole.filter(|line| line["what"].is_null()).find_map(|line| line["error"].as_str());
        let asked = if OF_PEERS.contains(&piece) { "not measured" } else { "-" };
        return Cell::Missing(reason.unwrap_or(asked).to_owned());
    };
    let number = |name: &str| line[name].as_f64().filter(|number| *number > 0.0);
    match (number("seconds"), number("sound_seconds")) {
        (Some(seconds), Some(sound)) if piece == "long" => Cell::Number(sound / seconds),
        (Some(seconds), _) if piece != "long" => Cell::Number(seconds),
        _ => Cell::Missing(line["error"].as_str().unwrap_or("not understood").to_owned()),
    }
}

fn goals(row: &Row) -> Vec<Goal> {
    let of_model = |goals: &[(&str, f64)]| goals.iter().find(|(model, _)| *model == row.model).map(|(_, goal)| *goal);
    let ours = row.ours.number();
    let at_least = |text: String, figure: Option<f64>, least: f64| Goal { text, met: figure.map(|it| it >= least) };
    let roof = || at_least(format!("{OF_ROOF:.1} of its roof"), row.of_roof, OF_ROOF);
    match row.piece {
        "long" => of_model(&REALTIME).map_or_else(Vec::new, |least| {
            let beside = ours.zip(row.peers[1].number()).map(|(ours, theirs)| ours / theirs);
            let times = format!("{TIMES_FASTER_WHISPER:.0} times {}", PEERS[1]);
            vec![at_least(format!("{least:.0}x"), ours, least), at_least(times, beside, TIMES_FASTER_WHISPER)]
        }),
        "window" => {
            let goal = |most: f64| Goal { text: format!("under {:.0} ms", 1e3 * most), met: ours.map(|it| it < most) };
            of_model(&WINDOW).map(goal).into_iter().collect()
        }
        "encoder_batch16" if row.model == ENCODER_OF => vec![roof()],
        piece if piece.starts_with("greedy_step") => vec![roof()],
        _ => Vec::new(),
    }
}

/// How many times as fast one is as the other.
fn ratio(row: &Row, theirs: &Cell) -> Option<f64> {
    let (ours, theirs) = row.ours.number().zip(theirs.number())?;
    Some(if row.realtime { ours / theirs } else { theirs / ours })
}

/// The table in Markdown; peers of whom there is nothing have no column.
pub(super) fn markdown(rows: &[Row], device: &str) -> String {
    if rows.is_empty() {
        return "Nothing was measured.\n".to_owned();
    }
    let mut text = format!("| model | what | on {device} | {} | part of its roof | goal |\n", PEERS.join(" | "));
    text += "|---|---|---|---|---|---|---|\n";
    for row in rows {
        let peers = row.peers.iter().map(|cell| {
            let times =
                ratio(row, cell).map_or(String::new(), |ratio| format!(" (ours {} times as fast)", short(ratio)));
            format!("{}{times}", shown(row, cell))
        });
        let roof = row.of_roof.map_or("-".to_owned(), |share| format!("{share:.2}"));
        let cells = [row.model.clone(), row.what.clone(), shown(row, &row.ours)].into_iter();
        let cells = cells.chain(peers).chain([roof, judged(&row.goals)]);
        let cells: Vec<String> = cells.map(|cell| crate::page::plain(&cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

fn judged(goals: &[Goal]) -> String {
    let judged = |goal: &Goal| {
        let met = match goal.met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "not known",
        };
        format!("{}: {met}", goal.text)
    };
    if goals.is_empty() { "-".to_owned() } else { goals.iter().map(judged).collect::<Vec<_>>().join("; ") }
}

fn shown(row: &Row, cell: &Cell) -> String {
    match cell {
        Cell::Number(number) if row.realtime => format!("{number:.0}x"),
        Cell::Number(seconds) if *seconds < 1.0 => format!("{} ms", short(1e3 * seconds)),
        Cell::Number(seconds) => format!("{seconds:.2} s"),
        Cell::Missing(reason) => reason.clone(),
    }
}

/// Three figures or so.
fn short(number: f64) -> String {
    let places = if number < 1.0 { 3 } else { usize::from(number < 100.0) + usize::from(number < 10.0) };
    format!("{number:.places$}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As two runs of `bench` and two peers would have it. The figures are made up.
    fn recorded() -> Findings {
        let steps = json!({
            "measures": {
                "window": {"median_seconds": 0.030},
                "greedy_step_batch64": {"median_seconds": 0.0005},
                "long": {"median_seconds": 1.0},
            },
            "realtime": {"long": 1920.0},
            "long": {"minutes": 32, "together": 64},
            "of_roof": {"greedy_step_batch64": 0.7},
            "failed": {"greedy_step_batch256": "the GPU has no 10 bytes"},
        });
        let long = json!({
            "measures": {"long": {"median_seconds": 3.0}},
            "realtime": {"long": 12000.0},
            "long": {"minutes": 600, "together": 64},
        });
        let peers = vec![
            json!({"peer": "transformers", "model": "base", "what": "window", "seconds": 0.6}),
            json!({"peer": "transformers", "model": "base", "what": "long", "seconds": 2.0, "sound_seconds": 1920.0}),
            json!({"peer": "transformers", "model": "base", "what": "encoder_batch16", "error": "no memory | left"}),
            json!({"peer": "faster-whisper", "error": "not installed"}),
        ];
        Findings {
            models: vec!["base".to_owned(), "large-v3".to_owned()],
            bench: [("base".to_owned(), vec![steps, long])].into(),
            peers,
            ..Findings::default()
        }
    }

    fn found(rows: &[Row], model: &str, piece: &str) -> Row {
        rows.iter().find(|row| row.model == model && row.piece == piece).unwrap().clone()
    }

    #[test]
    fn figures_stand_beside_theirs_and_the_goals() {
        let rows = rows(&recorded());
        let long = found(&rows, "base", "long");
        // The later run counts.
        assert_eq!(
            (&long.ours, &long.what[..]),
            (&Cell::Number(12000.0), "600 min of sound batched, whole, 64 windows together")
        );
        assert_eq!(long.peers, [Cell::Number(960.0), Cell::Missing("not installed".to_owned())]);
        assert_eq!(ratio(&long, &long.peers[0]), Some(12.5));
        assert_eq!(judged(&long.goals), "10000x: met; 4 times faster-whisper: not known");
        let window = found(&rows, "base", "window");
        assert!((ratio(&window, &window.peers[0]).unwrap() - 20.0).abs() < 1e-9);
        assert_eq!(judged(&window.goals), "under 25 ms: **not met**");
        assert_eq!(judged(&found(&rows, "base", "greedy_step_batch64").goals), "0.6 of its roof: met");
    }

    #[test]
    fn what_is_missing_stands_in_the_place_of_the_number() {
        let rows = rows(&recorded());
        let of = |model, piece| found(&rows, model, piece);
        let large = of("base", "greedy_step_batch256");
        assert_eq!(
            (large.ours, judged(&large.goals)),
            (Cell::Missing("the GPU has no 10 bytes".to_owned()), "0.6 of its roof: not known".to_owned())
        );
        assert_eq!(of("base", "encoder").ours, Cell::Missing("not measured".to_owned()));
        assert_eq!(of("base", "encoder_batch16").peers[0], Cell::Missing("no memory | left".to_owned()));
        // A model of which nothing was measured has its rows all the same.
        let none = of("large-v3", "long");
        assert_eq!(
            (&none.ours, &none.peers[0]),
            (&Cell::Missing("not measured".to_owned()), &Cell::Missing("not measured".to_owned()))
        );
        assert_eq!(judged(&none.goals), "1000x: not known; 4 times faster-whisper: not known");
    }

    #[test]
    fn the_table_is_a_table() {
        let rows = rows(&recorded());
        let text = markdown(&rows, "cuda");
        assert!(text.lines().all(|line| line.matches('|').count() == 8), "{text}");
        assert_eq!(text.lines().count(), 2 + 2 * PIECES.len());
        assert!(
            text.contains("| base | 30 s of samples to 100 tokens | 30.0 ms | 600 ms (ours 20.0 times as fast) |"),
            "{text}"
        );
        assert_eq!(markdown(&[], "cuda"), "Nothing was measured.\n");
        assert_eq!(
            ["0.0123", "1.23", "12.3", "123"].map(|text| short(text.parse().unwrap())),
            ["0.012", "1.23", "12.3", "123"]
        );
    }
}
