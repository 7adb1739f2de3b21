//! British spellings as American ones by rule: parts of words that tell, whole words, and regular endings.

/// Parts of words, in the order they are looked for: the first that is found is replaced, once.
const PARTS: [(&str, &str); 91] = [
    // Greek diphthongs.
    ("anaemi", "anemi"),
    ("anaesth", "anesth"),
    ("aesthet", "esthet"),
    ("aetiol", "etiol"),
    ("archaeo", "archeo"),
    ("diarrhoea", "diarrhea"),
    ("encyclopaed", "encycloped"),
    ("faec", "fec"),
    ("foet", "fet"),
    ("gonorrhoea", "gonorrhea"),
    ("gynaec", "gynec"),
    ("haemat", "hemat"),
    ("haemo", "hemo"),
    ("homoeopath", "homeopath"),
    ("leukaem", "leukem"),
    ("mediaeval", "medieval"),
    ("oedema", "edema"),
    ("oesoph", "esoph"),
    ("oestr", "estr"),
    ("orthopaed", "orthoped"),
    ("paediatr", "pediatr"),
    ("paedo", "pedo"),
    ("palaeo", "paleo"),
    ("primaeval", "primeval"),
    ("septicaem", "septicem"),
    ("toxaem", "toxem"),
    // -our. Only these stems: hour, four, contour and glamour stay.
    ("arbour", "arbor"),
    ("ardour", "ardor"),
    ("armour", "armor"),
    ("behaviour", "behavior"),
    ("candour", "candor"),
    ("clamour", "clamor"),
    ("clangour", "clangor"),
    ("colour", "color"),
    ("demeanour", "demeanor"),
    ("enamour", "enamor"),
    ("endeavour", "endeavor"),
    ("favour", "favor"),
    ("fervour", "fervor"),
    ("flavour", "flavor"),
    ("harbour", "harbor"),
    ("honour", "honor"),
    ("humour", "humor"),
    ("labour", "labor"),
    ("neighbour", "neighbor"),
    ("odour", "odor"),
    ("parlour", "parlor"),
    ("rancour", "rancor"),
    ("rigour", "rigor"),
    ("rumour", "rumor"),
    ("saviour", "savior"),
    ("savour", "savor"),
    ("splendour", "splendor"),
    ("succour", "succor"),
    ("tumour", "tumor"),
    ("valour", "valor"),
    ("vapour", "vapor"),
    ("vigour", "vigor"),
    // Single words and their families.
    ("aeroplane", "airplane"),
    ("aluminium", "aluminum"),
    ("artefact", "artifact"),
    ("centrefold", "centerfold"),
    ("centrepiece", "centerpiece"),
    ("chequer", "checker"),
    ("cheque", "check"),
    ("councillor", "councilor"),
    ("fibreglass", "fiberglass"),
    ("gaol", "jail"),
    ("theatregoer", "theatergoer"),
    ("tranquilli", "tranquili"),
    ("defence", "defense"),
    ("draught", "draft"),
    ("grey", "gray"),
    ("jewellery", "jewelry"),
    ("manoeuvred", "maneuvered"),
    ("manoeuvre", "maneuver"),
    ("manoeuvr", "maneuver"),
    ("mould", "mold"),
    ("moult", "molt"),
    ("moustache", "mustache"),
    ("offence", "offense"),
    ("plough", "plow"),
    ("practis", "practic"),
    ("pretence", "pretense"),
    ("pyjama", "pajama"),
    ("sceptic", "skeptic"),
    ("smoulder", "smolder"),
    ("sulph", "sulf"),
    ("syphon", "siphon"),
    ("waggon", "wagon"),
    ("yoghurt", "yogurt"),
];

/// Whole words.
const WORDS: [(&str, &str); 47] = [
    ("aeon", "eon"),
    ("aeons", "eons"),
    ("ageing", "aging"),
    ("appal", "appall"),
    ("appals", "appalls"),
    ("centigramme", "centigram"),
    ("centigrammes", "centigrams"),
    ("cosier", "cozier"),
    ("cosiest", "coziest"),
    ("cosily", "cozily"),
    ("cosiness", "coziness"),
    ("cosy", "cozy"),
    ("distil", "distill"),
    ("distils", "distills"),
    ("enrol", "enroll"),
    ("enrolment", "enrollment"),
    ("enrols", "enrolls"),
    ("enthral", "enthrall"),
    ("enthrals", "enthralls"),
    ("fulfil", "fulfill"),
    ("fulfilment", "fulfillment"),
    ("fulfils", "fulfills"),
    ("gramme", "gram"),
    ("grammes", "grams"),
    ("instalment", "installment"),
    ("instalments", "installments"),
    ("instil", "instill"),
    ("instils", "instills"),
    ("kerb", "curb"),
    ("kerbs", "curbs"),
    ("kilogramme", "kilogram"),
    ("kilogrammes", "kilograms"),
    ("licence", "license"),
    ("licences", "licenses"),
    ("milligramme", "milligram"),
    ("milligrammes", "milligrams"),
    ("programme", "program"),
    ("programmes", "programs"),
    ("skilful", "skillful"),
    ("skilfully", "skillfully"),
    ("storey", "story"),
    ("storeys", "stories"),
    ("tyre", "tire"),
    ("tyres", "tires"),
    ("wilful", "willful"),
    ("woollen", "woolen"),
    ("woollens", "woolens"),
];

/// How Americans write a word, where a rule says that it is otherwise.
pub(super) fn american(word: &str) -> Option<String> {
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    if let Some((_, american)) = WORDS.iter().find(|(british, _)| *british == word) {
        return Some((*american).to_owned());
    }
    let part = PARTS.iter().find(|(british, _)| word.contains(british));
    let by_part = part.map(|(british, american)| word.replacen(british, american, 1));
    // A word may be of two families: `colourise`.
    let so_far = by_part.as_deref().unwrap_or(word);
    let by_ending = ize(so_far).or_else(|| er(so_far)).or_else(|| og(so_far)).or_else(|| single_l(so_far));
    by_ending.or(by_part)
}

/// `organise` with `z`, and `analyse` too.
fn ize(word: &str) -> Option<String> {
    const ENDINGS: [&str; 9] = ["e", "ed", "es", "er", "ers", "ing", "ingly", "able", "ably"];
    const OF_NOUNS: [&str; 3] = ["ation", "ations", "ational"];
    // What ends with these has an `s` in America too, but for those in `-ivise`.
    const KEPT: [&str; 26] = [
        "wise",
        "vise",
        "prise",
        "ercise",
        "incise",
        "excise",
        "umcise",
        "recise",
        "oncise",
        "romise",
        "remise",
        "demise",
        "surmise",
        "chemise",
        "vertise",
        "pertise",
        "hastise",
        "reatise",
        "franchise",
        "uise",
        "noise",
        "poise",
        "rtoise",
        "quoise",
        "aise",
        "despise",
    ];
    const KEPT_WORDS: [&str; 7] = ["anise", "arise", "merchandise", "paradise", "sunrise", "uprise", "valise"];
    let with_z = |stem: &str, ending: &str| format!("{stem}z{ending}");
    if let Some((stem, ending)) =
        word.rsplit_once("lys").filter(|(_, ending)| ["e", "ed", "er", "ers", "ing"].contains(ending))
    {
        return Some(with_z(&format!("{stem}ly"), ending));
    }
    let (stem, ending) = word.rsplit_once("is").filter(|(stem, _)| stem.len() >= 3)?;
    if OF_NOUNS.contains(&ending) {
        return (!stem.ends_with("prov")).then(|| with_z(&format!("{stem}i"), ending));
    }
    let verb = format!("{stem}ise");
    let keeps = KEPT.iter().any(|end| verb.ends_with(end)) && !verb.ends_with("ivise");
    let kept = keeps || KEPT_WORDS.contains(&verb.as_str());
    (ENDINGS.contains(&ending) && !kept).then(|| with_z(&format!("{stem}i"), ending))
}

/// `centre`, `metre`, `theatre`.
fn er(word: &str) -> Option<String> {
    const STEMS: [&str; 19] = [
        "cent",
        "met",
        "lit",
        "theat",
        "fib",
        "sab",
        "calib",
        "lust",
        "meag",
        "mit",
        "och",
        "scept",
        "sepulch",
        "somb",
        "spect",
        "goit",
        "saltpet",
        "louv",
        "reconnoit",
    ];
    let stem = |ending: &str| {
        let stem = word.strip_suffix(ending)?;
        STEMS.iter().any(|known| stem.ends_with(known)).then_some(stem)
    };
    stem("re")
        .map(|stem| format!("{stem}er"))
        .or_else(|| stem("res").map(|stem| format!("{stem}ers")))
        .or_else(|| stem("red").map(|stem| format!("{stem}ered")).filter(|_| word.starts_with("cent")))
}

/// `analogue`, `catalogue`.
fn og(word: &str) -> Option<String> {
    const STEMS: [&str; 7] = ["anal", "catal", "dial", "epil", "homol", "monol", "prol"];
    let (stem, ending) = word.split_once("ogu")?;
    let ending = match ending {
        "e" => "",
        "es" => "s",
        "ed" => "ed",
        "ing" => "ing",
        _ => return None,
    };
    STEMS.contains(&stem).then(|| format!("{stem}og{ending}"))
}

/// `travelled`, `modelling`: one `l` where the last syllable of the verb is not stressed.
fn single_l(word: &str) -> Option<String> {
    const STEMS: [&str; 65] = [
        "barrel",
        "bedevil",
        "bevel",
        "cancel",
        "carol",
        "cavil",
        "channel",
        "chisel",
        "counsel",
        "cudgel",
        "devil",
        "dial",
        "disembowel",
        "dishevel",
        "drivel",
        "duel",
        "enamel",
        "equal",
        "fuel",
        "funnel",
        "gambol",
        "grovel",
        "imperil",
        "initial",
        "jewel",
        "kennel",
        "label",
        "level",
        "libel",
        "marshal",
        "marvel",
        "medal",
        "metal",
        "model",
        "panel",
        "parcel",
        "pedal",
        "pencil",
        "pistol",
        "pummel",
        "quarrel",
        "ravel",
        "revel",
        "rival",
        "shovel",
        "shrivel",
        "signal",
        "snivel",
        "snorkel",
        "spiral",
        "squirrel",
        "stencil",
        "swivel",
        "symbol",
        "tassel",
        "tinsel",
        "total",
        "towel",
        "trammel",
        "travel",
        "trowel",
        "tunnel",
        "victual",
        "weasel",
        "yodel",
    ];
    const ENDINGS: [&str; 11] = ["ed", "ing", "ings", "er", "ers", "or", "ors", "ist", "ists", "ous", "ously"];
    let (stem, ending) = word.rsplit_once("ll")?;
    let verb = format!("{stem}l");
    let known = STEMS.iter().any(|known| verb.ends_with(known));
    (known && ENDINGS.contains(&ending)).then(|| format!("{verb}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_families_change() {
        for (british, expected) in [
            ("organise", "organize"),
            ("organisations", "organizations"),
            ("analysed", "analyzed"),
            ("criticising", "criticizing"),
            ("colourised", "colorized"),
            ("neighbourhood", "neighborhood"),
            ("centres", "centers"),
            ("kilometre", "kilometer"),
            ("centred", "centered"),
            ("catalogues", "catalogs"),
            ("travelled", "traveled"),
            ("modelling", "modeling"),
            ("marvellous", "marvelous"),
            ("anaesthetic", "anesthetic"),
            ("manoeuvres", "maneuvers"),
            ("defenceless", "defenseless"),
            ("fulfil", "fulfill"),
        ] {
            assert_eq!(american(british).as_deref(), Some(expected));
        }
    }

    #[test]
    fn words_that_only_look_like_it_stay() {
        let words = "advise exercise promised surprising raised noise paradise wise rising improvisation this is basis \
                     hour four contour acre genre here travel called filled hotel rogue vogue dialog analysis \
                     caesium your flour 2nd don é";
        for word in words.split_whitespace() {
            assert_eq!(american(word), None, "{word}");
        }
    }
}
