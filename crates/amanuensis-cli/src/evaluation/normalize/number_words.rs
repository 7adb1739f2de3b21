//! The words that numbers are spoken with.

/// What a word does to the number being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberWord {
    /// `oh`, `zero`: a digit.
    Zero,
    /// One to nineteen.
    Ones(u32),
    /// The same with an ending that closes the number: `first`, `sixes`.
    OnesEnding(u32, &'static str),
    /// Twenty to ninety.
    Tens(u32),
    /// `twentieth`, `eighties`.
    TensEnding(u32, &'static str),
    /// A hundred, a thousand and so on.
    Multiplier(u128),
    /// `hundreds`, `thousandth`.
    MultiplierEnding(u128, &'static str),
    /// `minus`: a sign for the number behind it.
    Sign(char),
    /// `dollars`: a symbol for the number before it.
    Currency(char),
    /// `per`, which makes a percentage with `cent` behind it.
    Per,
    Percent,
    And,
    /// `double`, `triple`: how often the digit behind it is said.
    Repeat(usize),
    Point,
}

const ONES: [&str; 19] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// Hundred, then the powers of a thousand.
const MULTIPLIERS: [&str; 12] = [
    "hundred",
    "thousand",
    "million",
    "billion",
    "trillion",
    "quadrillion",
    "quintillion",
    "sextillion",
    "septillion",
    "octillion",
    "nonillion",
    "decillion",
];

/// What a word means in a number, if it can be part of one.
pub(super) fn meaning(word: &str) -> Option<NumberWord> {
    Some(match word {
        "o" | "oh" | "zero" => NumberWord::Zero,
        "zeroth" => NumberWord::OnesEnding(0, "th"),
        "first" => NumberWord::OnesEnding(1, "st"),
        "second" => NumberWord::OnesEnding(2, "nd"),
        "third" => NumberWord::OnesEnding(3, "rd"),
        "fifth" => NumberWord::OnesEnding(5, "th"),
        "twelfth" => NumberWord::OnesEnding(12, "th"),
        "sixes" => NumberWord::OnesEnding(6, "s"),
        "minus" | "negative" => NumberWord::Sign('-'),
        "plus" | "positive" => NumberWord::Sign('+'),
        "pound" | "pounds" => NumberWord::Currency('£'),
        "euro" | "euros" => NumberWord::Currency('€'),
        "dollar" | "dollars" => NumberWord::Currency('$'),
        "cent" | "cents" => NumberWord::Currency('¢'),
        "per" => NumberWord::Per,
        "percent" => NumberWord::Percent,
        "and" => NumberWord::And,
        "double" => NumberWord::Repeat(2),
        "triple" => NumberWord::Repeat(3),
        "point" => NumberWord::Point,
        _ => return regular(word),
    })
}

/// The words that are made by rule.
fn regular(word: &str) -> Option<NumberWord> {
    let ones = |stem: &str| (1_u32..).zip(ONES).find(|(_, name)| *name == stem).map(|(value, _)| value);
    let tens = |stem: &str| (2_u32..).zip(TENS).find(|(_, name)| *name == stem).map(|(value, _)| 10 * value);
    let multiplier = |stem: &str| {
        let place = MULTIPLIERS.iter().position(|name| *name == stem)?;
        Some(if place == 0 { 100 } else { 10_u128.pow(3 * place as u32) })
    };
    if let Some(value) = ones(word) {
        return Some(NumberWord::Ones(value));
    }
    if let Some(value) = tens(word) {
        return Some(NumberWord::Tens(value));
    }
    if let Some(value) = multiplier(word) {
        return Some(NumberWord::Multiplier(value));
    }
    if let Some(stem) = word.strip_suffix("ieth")
        && let Some(value) = tens(&format!("{stem}y"))
    {
        return Some(NumberWord::TensEnding(value, "th"));
    }
    if let Some(stem) = word.strip_suffix("ies")
        && let Some(value) = tens(&format!("{stem}y"))
    {
        return Some(NumberWord::TensEnding(value, "s"));
    }
    if let Some(stem) = word.strip_suffix('s') {
        return match (ones(stem).filter(|value| *value != 6), multiplier(stem)) {
            (Some(value), _) => Some(NumberWord::OnesEnding(value, "s")),
            (_, Some(value)) => Some(NumberWord::MultiplierEnding(value, "s")),
            _ => None,
        };
    }
    // `nineth` as openai-whisper's normaliser has it: `ninth` is no number to it.
    let ordinal = |value: &u32| *value > 3 && ![5, 12].contains(value);
    if let Some(stem) = word.strip_suffix('h').filter(|stem| stem.ends_with('t'))
        && let Some(value) = ones(stem).filter(ordinal)
    {
        return Some(NumberWord::OnesEnding(value, "th"));
    }
    let stem = word.strip_suffix("th")?;
    match (ones(stem).filter(ordinal).filter(|_| !stem.ends_with('t')), multiplier(stem)) {
        (Some(value), _) => Some(NumberWord::OnesEnding(value, "th")),
        (_, Some(value)) => Some(NumberWord::MultiplierEnding(value, "th")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_numbers() {
        for (word, expected) in [
            ("seventeen", Some(NumberWord::Ones(17))),
            ("eighth", Some(NumberWord::OnesEnding(8, "th"))),
            ("nineth", Some(NumberWord::OnesEnding(9, "th"))),
            ("ninth", None),
            ("sixs", None),
            ("sixth", Some(NumberWord::OnesEnding(6, "th"))),
            ("fourth", Some(NumberWord::OnesEnding(4, "th"))),
            ("fiveth", None),
            ("oneth", None),
            ("tens", Some(NumberWord::OnesEnding(10, "s"))),
            ("eighties", Some(NumberWord::TensEnding(80, "s"))),
            ("fortieth", Some(NumberWord::TensEnding(40, "th"))),
            ("millionth", Some(NumberWord::MultiplierEnding(1_000_000, "th"))),
            ("decillions", Some(NumberWord::MultiplierEnding(10_u128.pow(33), "s"))),
            ("zeros", None),
            ("s", None),
        ] {
            assert_eq!(meaning(word), expected, "{word}");
        }
    }
}
