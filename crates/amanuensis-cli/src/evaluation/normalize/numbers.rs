//! Spoken numbers as digits: `nineteen eighty four` is 1984, `double oh seven` 007, `two point five million dollars`
//! $2500000. What openai-whisper's normaliser does to each word is followed, oddities included, because both sides of a
//! comparison go through it.

use super::number_words::{NumberWord, meaning};
use super::rewriting::is_boundary;

/// The text with numbers in digits; words come out with one space between them.
pub(super) fn to_digits(text: &str) -> String {
    let text = spaced(&halves(text));
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut reading = Reading::default();
    reading.words(&words);
    currencies(&reading.written.join(" "))
}

/// `two and a half` as `two point five`, where a number stands before it.
fn halves(text: &str) -> String {
    let parts = split_at_halves(text);
    let mut kept: Vec<&str> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let Some(last) = part.split_whitespace().next_back() else { continue };
        kept.push(part);
        if index + 1 < parts.len() {
            let number = matches!(
                meaning(last),
                Some(NumberWord::Zero | NumberWord::Ones(_) | NumberWord::Tens(_) | NumberWord::Multiplier(_))
            );
            kept.push(if number { "point five" } else { "and a half" });
        }
    }
    kept.join(" ")
}

/// The text between the places where `and a half` stands.
fn split_at_halves(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices("and") {
        if at < begin || !is_boundary(text, at) {
            continue;
        }
        let behind = |word: &str, from: usize| {
            let rest = text.get(from..)?;
            let spaces = rest.len() - rest.trim_start().len();
            (spaces > 0 && rest[spaces..].starts_with(word)).then(|| from + spaces + word.len())
        };
        let end = behind("a", at + 3).and_then(|end| behind("half", end));
        if let Some(end) = end.filter(|end| is_boundary(text, *end)) {
            parts.push(&text[begin..at]);
            begin = end;
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// A space between letters and digits, but not before the ending of an ordinal or a decade.
fn spaced(text: &str) -> String {
    let mut wide = String::with_capacity(text.len() + 16);
    let mut last = ' ';
    for letter in text.chars() {
        let meets = last.is_ascii_lowercase() && letter.is_ascii_digit()
            || last.is_ascii_digit() && letter.is_ascii_lowercase();
        if meets {
            wide.push(' ');
        }
        wide.push(letter);
        last = letter;
    }
    let mut narrow = String::with_capacity(wide.len());
    let mut rest = wide.as_str();
    while let Some(digit) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, behind) = rest.split_at(digit + 1);
        narrow.push_str(before);
        let ending = behind.trim_start();
        let is_ending = |ending_word: &str| {
            let found = ending.starts_with(ending_word);
            found && is_boundary(rest, rest.len() - ending.len() + ending_word.len())
        };
        rest = if ["st", "nd", "rd", "th", "s"].into_iter().any(is_ending) { ending } else { behind };
    }
    narrow.push_str(rest);
    narrow
}

/// The number being read: an integer while arithmetic can go on, digits as said otherwise.
#[derive(Debug, Clone, PartialEq)]
enum Number {
    Whole(u128),
    Digits(String),
}

impl Number {
    fn text(&self) -> String {
        match self {
            Number::Whole(value) => value.to_string(),
            Number::Digits(digits) => digits.clone(),
        }
    }

    /// Times a multiplier, if that is an integer.
    fn times(&self, multiplier: u128) -> Option<u128> {
        match self {
            Number::Whole(0) => Some(0),
            Number::Whole(value) => (value / 1000 * 1000).checked_add((value % 1000).checked_mul(multiplier)?),
            Number::Digits(digits) => {
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
                let all = format!("{whole}{decimals}");
                if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let scale = 10_u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
                let product = all.parse::<u128>().ok()?.checked_mul(multiplier)?;
                (product % scale == 0).then_some(product / scale)
            }
        }
    }
}

/// Words on their way from left to right.
#[derive(Default)]
struct Reading {
    written: Vec<String>,
    prefix: Option<char>,
    value: Option<Number>,
}

impl Reading {
    fn words(&mut self, words: &[&str]) {
        let mut at = 0;
        while at < words.len() {
            let previous = at.checked_sub(1).map(|before| words[before]);
            at += self.word(previous, words[at], words.get(at + 1).copied());
        }
        self.end_number();
    }

    /// Reads a word and returns how many were used up.
    fn word(&mut self, previous: Option<&str>, word: &str, next: Option<&str>) -> usize {
        if let Some((prefix, digits)) = arabic(word) {
            self.digits(word, prefix, digits);
            return 1;
        }
        let Some(meant) = meaning(word) else {
            self.end_number();
            self.write(word.to_owned());
            return 1;
        };
        match meant {
            NumberWord::Zero => self.append("0"),
            NumberWord::Ones(ones) => self.value = Some(self.with_ones(previous, ones)),
            NumberWord::OnesEnding(ones, ending) => {
                let number = self.with_ones(previous, ones);
                self.close(&number, ending);
            }
            NumberWord::Tens(tens) => self.value = Some(self.with_tens(tens)),
            NumberWord::TensEnding(tens, ending) => {
                let number = self.with_tens(tens);
                self.close(&number, ending);
            }
            NumberWord::Multiplier(multiplier) => self.multiply(multiplier),
            NumberWord::MultiplierEnding(multiplier, ending) => {
                self.multiply(multiplier);
                if let Some(number) = self.value.take() {
                    self.close(&number, ending);
                }
            }
            NumberWord::Sign(sign) => {
                self.end_number();
                if may_be_number(next) { self.prefix = Some(sign) } else { self.write(word.to_owned()) }
            }
            NumberWord::Currency(symbol) => match self.value.take() {
                Some(number) => {
                    self.prefix = Some(symbol);
                    self.write(number.text());
                }
                None => self.write(word.to_owned()),
            },
            NumberWord::Percent => match self.value.take() {
                Some(number) => self.close(&number, "%"),
                None => self.write(word.to_owned()),
            },
            NumberWord::Per => match self.value.take() {
                Some(number) if next == Some("cent") => {
                    self.close(&number, "%");
                    return 2;
                }
                number => {
                    self.value = number;
                    self.end_number();
                    self.write(word.to_owned());
                }
            },
            NumberWord::And | NumberWord::Repeat(_) | NumberWord::Point if !may_be_number(next) => {
                self.end_number();
                self.write(word.to_owned());
            }
            NumberWord::And => {
                // `two hundred and five` is one number, `two and five` are two.
                if !matches!(previous.and_then(meaning), Some(NumberWord::Multiplier(_))) {
                    self.end_number();
                    self.write(word.to_owned());
                }
            }
            NumberWord::Repeat(times) => {
                let digit = match next.and_then(meaning) {
                    Some(NumberWord::Zero) => 0,
                    Some(NumberWord::Ones(ones)) => ones,
                    _ => {
                        self.end_number();
                        self.write(word.to_owned());
                        return 1;
                    }
                };
                self.append(&digit.to_string().repeat(times));
                return 2;
            }
            NumberWord::Point => {
                let decimal = next.and_then(meaning);
                let decimal = matches!(decimal, Some(NumberWord::Zero | NumberWord::Ones(_) | NumberWord::Tens(_)));
                if decimal || next.is_some_and(is_number) {
                    self.append(".");
                }
            }
        }
        1
    }

    /// A number that was written in digits, perhaps with a sign or a currency before it.
    fn digits(&mut self, word: &str, prefix: Option<char>, digits: &str) {
        if let Some(Number::Digits(before)) = &mut self.value
            && before.ends_with('.')
        {
            before.push_str(word); // decimals, or the next part of an address
            return;
        }
        self.end_number();
        self.prefix = prefix.or(self.prefix);
        let whole = match digits.split_once('.') {
            Some((whole, decimals)) if decimals.bytes().all(|digit| digit == b'0') => whole.parse().ok(),
            Some(_) => None,
            None => digits.parse().ok(),
        };
        self.value = Some(whole.map_or_else(|| Number::Digits(digits.to_owned()), Number::Whole));
    }

    /// Puts digits behind what was said so far.
    fn append(&mut self, digits: &str) {
        let before = match &self.value {
            None | Some(Number::Whole(0)) => String::new(),
            Some(number) => number.text(),
        };
        self.value = Some(Number::Digits(before + digits));
    }

    fn with_ones(&self, previous: Option<&str>, ones: u32) -> Number {
        let previous = previous.and_then(meaning);
        let after_ones = matches!(previous, Some(NumberWord::Ones(_)));
        match &self.value {
            None => Number::Whole(ones.into()),
            Some(number @ Number::Whole(value)) if !after_ones => {
                let room = if ones < 10 { 10 } else { 100 };
                joined(number, *value, room, ones)
            }
            Some(number) => {
                let mut digits = number.text();
                if ones < 10 && matches!(previous, Some(NumberWord::Tens(_))) {
                    digits.pop(); // the zero of `eighty`
                }
                Number::Digits(digits + &ones.to_string())
            }
        }
    }

    fn with_tens(&self, tens: u32) -> Number {
        match &self.value {
            None => Number::Whole(tens.into()),
            Some(number @ Number::Whole(value)) => joined(number, *value, 100, tens),
            Some(Number::Digits(digits)) => Number::Digits(format!("{digits}{tens}")),
        }
    }

    fn multiply(&mut self, multiplier: u128) {
        self.value = match self.value.take() {
            None => Some(Number::Whole(multiplier)),
            Some(number) => match number.times(multiplier) {
                Some(product) => Some(Number::Whole(product)),
                None => {
                    self.write(number.text());
                    Some(Number::Whole(multiplier))
                }
            },
        };
    }

    /// Writes a number with what closes it.
    fn close(&mut self, number: &Number, ending: &str) {
        self.value = None;
        self.write(number.text() + ending);
    }

    fn end_number(&mut self) {
        if let Some(number) = self.value.take() {
            self.write(number.text());
        }
    }

    fn write(&mut self, word: String) {
        let prefix = self.prefix.take().map(String::from).unwrap_or_default();
        self.written.push(prefix + &word);
    }
}

/// `twenty` and `one` make 21; `twenty one` and `two` make 212.
fn joined(number: &Number, value: u128, room: u128, said: u32) -> Number {
    match value.checked_add(said.into()) {
        Some(sum) if value.is_multiple_of(room) => Number::Whole(sum),
        _ => Number::Digits(format!("{}{said}", number.text())),
    }
}

/// A number in digits and the sign or currency before it.
fn arabic(word: &str) -> Option<(Option<char>, &str)> {
    let prefix = word.chars().next().filter(|letter| "-+£€$¢".contains(*letter));
    let digits = &word[prefix.map_or(0, char::len_utf8)..];
    is_number(digits).then_some((prefix, digits))
}

fn is_number(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once('.').map_or_else(|| digits(word), |(whole, decimals)| digits(whole) && digits(decimals))
}

fn may_be_number(word: Option<&str>) -> bool {
    word.is_some_and(|word| is_number(word) || meaning(word).is_some())
}

/// Dollars and cents as one amount, cents alone as cents, and a lone 1 as `one`, which reads better.
fn currencies(text: &str) -> String {
    let joined = rewrite(text, |rest, _| {
        let symbol = rest.chars().next().filter(|letter| "€£$".contains(*letter))?;
        let (whole, behind) = leading_digits(&rest[symbol.len_utf8()..], usize::MAX)?;
        let behind = behind.strip_prefix(' ')?;
        let behind = behind.strip_prefix("and ").unwrap_or(behind).strip_prefix('¢')?;
        let (cents, behind) = leading_digits(behind, 2)?;
        let cents = if cents.len() == 1 { format!("0{cents}") } else { cents.to_owned() };
        Some((format!("{symbol}{whole}.{cents}"), behind))
    });
    let cents = rewrite(&joined, |rest, _| {
        let behind = rest.strip_prefix(['€', '£', '$'])?.strip_prefix('0')?;
        let separator = behind.chars().next()?;
        let (cents, behind) = leading_digits(&behind[separator.len_utf8()..], 2)?;
        let cents = cents.trim_start_matches('0');
        Some((format!("¢{}", if cents.is_empty() { "0" } else { cents }), behind))
    });
    rewrite(&cents, |rest, at| {
        let behind = rest.strip_prefix('1').filter(|_| is_boundary(&cents, at))?;
        let (ending, behind) = behind.strip_prefix('s').map_or(("", behind), |behind| ("s", behind));
        is_boundary(&cents, cents.len() - behind.len()).then(|| (format!("one{ending}"), behind))
    })
}

/// Digits at the beginning, at most so many and ending with a word, and what follows them.
fn leading_digits(text: &str, most: usize) -> Option<(&str, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let ends = most == usize::MAX || is_boundary(text, count);
    (count > 0 && count <= most && ends).then(|| text.split_at(count))
}

/// Replaces from left to right: `replace` gets the rest and where it begins, and returns what stands for its beginning
/// and what is left behind that.
fn rewrite<'a>(text: &'a str, replace: impl Fn(&'a str, usize) -> Option<(String, &'a str)>) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = match replace(rest, text.len() - rest.len()) {
            Some((replacement, behind)) => {
                rewritten.push_str(&replacement);
                behind
            }
            None => {
                rewritten.push(letter);
                &rest[letter.len_utf8()..]
            }
        };
    }
    rewritten
}
