//! The flags of `models`, and those that say where models come from and go.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use super::ProgressStyle;
use crate::values;

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true, after_help = ENVIRONMENT)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) part: ModelsPart,
}

/// What the help of `models` ends with.
const ENVIRONMENT: &str = "\
A model is called by a short name (tiny ... large-v3, turbo, distil-large-v3), organisation/name on Hugging Face's hub, \
with @REVISION for another revision than main and :FILE for one file of a repository \
(ggerganov/whisper.cpp:ggml-base.bin), or an alias.

The cache is the one of Python's libraries. HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT, \
HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DISABLE_PROGRESS_BARS, HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, \
HTTPS_PROXY and SSL_CERT_FILE mean what they mean there.";

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsPart {
    /// List the models that are here
    List(ModelsList),
    /// Fetch models from the hub
    Pull(ModelsPull),
    /// Remove a model, a revision or a file of one
    Rm(ModelsRm),
    /// Say what a model is, here and on the hub
    Info(ModelsInfo),
    /// Check that the files of a model are what was fetched
    Verify(ModelsVerify),
    /// Give a model a name of your own; without a name, list those there are
    Alias(ModelsAlias),
    /// Copy a model into a folder of plain files, for a machine without network
    Bundle(ModelsBundle),
}

/// Where models come from and go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct Fetching {
    /// Fetch nothing: use what is here, and say what is missing (also HF_HUB_OFFLINE=1)
    #[arg(long, alias = "local-files-only", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_possible_values = true,
          action = ArgAction::Set, value_parser = values::boolean())]
    pub(crate) offline: bool,

    /// Folder in which models are kept [default: the cache of Hugging Face's tools]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsList {
    /// Also list what is no Whisper model
    #[arg(long)]
    pub(crate) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Folder in which models are kept [default: the cache of Hugging Face's tools]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsPull {
    /// Names of models
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,

    /// Fetch the files of weights that fit, in which `*` is any text, in place of one form of the weights; settings and
    /// tokenizer come along. May be given several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,

    /// Fetch again what is here
    #[arg(long)]
    pub(crate) force: bool,

    /// Print a JSON object for each model
    #[arg(long)]
    pub(crate) json: bool,

    /// How progress is shown: bar, off, or json (lines on standard error); auto is a bar on a terminal and off elsewhere
    #[arg(long, value_name = "HOW", default_value = "auto", hide_possible_values = true)]
    pub(crate) progress: ProgressStyle,

    #[command(flatten)]
    pub(crate) fetching: Fetching,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsRm {
    /// Name of a model: all of it; with @REVISION or :FILE only these
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// Folder in which models are kept [default: the cache of Hugging Face's tools]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsInfo {
    /// Name of a model
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) fetching: Fetching,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsVerify {
    /// Name of a model: all commits that are here; with @REVISION only that one
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Remove what is damaged, broken or half fetched, so that `models pull` fetches it anew
    #[arg(long)]
    pub(crate) clean: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How progress is shown: bar, off, or json (lines on standard error); auto is a bar on a terminal and off elsewhere
    #[arg(long, value_name = "HOW", default_value = "auto", hide_possible_values = true)]
    pub(crate) progress: ProgressStyle,

    /// Folder in which models are kept [default: the cache of Hugging Face's tools]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsAlias {
    /// The name of your own
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// What it stands for: a name of a model, or a path
    #[arg(value_name = "MODEL", conflicts_with = "remove")]
    pub(crate) target: Option<String>,

    /// Remove the alias
    #[arg(long, requires = "name")]
    pub(crate) remove: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsBundle {
    /// Name of a model
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The new folder
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) output: PathBuf,

    /// How progress is shown: bar, off, or json (lines on standard error); auto is a bar on a terminal and off elsewhere
    #[arg(long, value_name = "HOW", default_value = "auto", hide_possible_values = true)]
    pub(crate) progress: ProgressStyle,

    #[command(flatten)]
    pub(crate) fetching: Fetching,
}
