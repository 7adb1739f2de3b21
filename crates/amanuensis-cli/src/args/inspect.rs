//! The flags of `inspect`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Folder, file or name of a model, as for `transcribe --model`
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,

    /// Also read all numbers: smallest, largest, mean, standard deviation, share of outliers (beyond six standard
    /// deviations), and how far the largest output and the largest input stand above the median one
    #[arg(long)]
    pub(crate) stats: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
