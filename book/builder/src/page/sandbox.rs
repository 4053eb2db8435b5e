//! `{{#sandbox NAME key=value …}}`: a figure that the reader moves, in a box of its own.
//!
//! Question, picture, sentence and answer are there without a script. With one, a picture that only begins with the first preset waits
//! for the guess, which it might give away; a page that names parameters speaks of their picture, and shows it. The controls are hidden until `theme/js/sandbox.js` opens
//! them; it loads the figure's module, and for a run the kit's player, on the first touch; [`crate::live`] writes their addresses into
//! `data-module` and `data-player`.

use super::{figure, inline};
use crate::html::{escape, one_line};
use book_figures::{Control, Figure, Kind, Params, Prediction, Sandbox};

/// The sandbox that `arguments` ask for. The parameters say where it begins; without any, that is the first preset.
pub(super) fn write(arguments: &str) -> Result<String, String> {
    let name = arguments.split_whitespace().next().unwrap_or_default();
    let first = book_figures::find(name).ok().and_then(|figure| figure.sandbox?.presets.first());
    let begin = match first {
        Some(preset) if name == arguments => format!("{name} {}", preset.params),
        _ => arguments.to_owned(),
    };
    let asked = figure::asked("sandbox", &begin)?;
    let Figure { name, sandbox: Some(sandbox), .. } = asked.figure else {
        return Err(format!("figure `{name}` has no sandbox: write {{{{#figure {arguments}}}}}"));
    };
    let params = Params::parse(asked.params).map_err(|error| error.to_string())?;
    let controls = sandbox.controls.iter().map(|control| write_control(name, control, &params));
    let controls = controls.collect::<Result<String, String>>()?;
    let fixed = fixed(sandbox, asked.params);
    let waits = if name == arguments { " waits" } else { "" };
    let player = if asked.drawing.run.is_some() { " data-player=\"run\"" } else { "" };
    Ok(one_line(&format!(
        "<section class=\"sandbox{waits}\" id=\"figure-{name}\" data-figure=\"{name}\" data-module=\"{name}\"{player} data-fixed=\"{}\" \
         aria-label=\"Figure to play with: {}\">{}\
         <div class=\"play\" hidden><p class=\"guessed\"></p>{}<div class=\"controls\">{controls}</div></div>\
         <figure class=\"live-figure\"><div class=\"picture\">{}</div><figcaption>{}</figcaption></figure>\
         <div class=\"play\" hidden><p class=\"state-line\"><span class=\"trouble\"></span> <a class=\"share\" href=\"#figure-{name}\">Link to this \
         state</a></p><p class=\"task\"><strong>Find out.</strong> {}</p></div>\
         <details class=\"answer\"><summary>Compare with your prediction</summary><p>{}</p></details></section>",
        escape(&fixed),
        name.replace('-', " "),
        write_prediction(name, &sandbox.prediction)?,
        write_presets(sandbox)?,
        asked.drawing.svg,
        escape(&asked.drawing.sentence),
        phrase(sandbox.task)?,
        phrase(sandbox.prediction.answer)?,
    )))
}

/// The HTML of a figure's text, which is one paragraph: a text that begins with `64.` would become a list.
fn phrase(markdown: &str) -> Result<String, String> {
    let html = inline::phrase(markdown)?;
    let is_block = ["<p>", "<ol", "<ul", "<h", "<pre"].iter().any(|block| html.contains(block));
    if is_block { Err(format!("a sandbox's text is one paragraph, and this is not: {markdown}")) } else { Ok(html) }
}

/// What the page sets and no control moves.
fn fixed(sandbox: &Sandbox, params: &str) -> String {
    let moved = |pair: &&str| sandbox.controls.iter().any(|control| pair.split('=').next() == Some(control.key));
    params.split_whitespace().filter(|pair| !moved(pair)).collect::<Vec<_>>().join(" ")
}

fn write_prediction(name: &str, prediction: &Prediction) -> Result<String, String> {
    let mut guesses = String::new();
    for (number, guess) in prediction.guesses.iter().enumerate() {
        let id = format!("guess-{name}-{number}");
        guesses.push_str(&format!(
            "<div class=\"guess\"><input type=\"radio\" name=\"guess-{name}\" id=\"{id}\" value=\"{number}\"><label for=\"{id}\">{}</label></div>",
            phrase(guess)?
        ));
    }
    Ok(format!(
        "<fieldset class=\"prediction\"><legend class=\"box-title\">Predict, then play</legend><p class=\"question\">{}</p>{guesses}\
         <button type=\"button\" class=\"commit js-only\" disabled>That is my guess: open the figure</button></fieldset>",
        phrase(prediction.question)?
    ))
}

fn write_presets(sandbox: &Sandbox) -> Result<String, String> {
    let mut buttons = String::new();
    for preset in sandbox.presets {
        buttons.push_str(&format!(
            "<button type=\"button\" data-params=\"{}\" data-story=\"{}\" aria-pressed=\"false\">{}</button>",
            escape(preset.params),
            escape(&phrase(preset.story)?),
            phrase(preset.name)?
        ));
    }
    Ok(format!(
        "<div class=\"presets\" role=\"group\" aria-label=\"Settings worth seeing\">{buttons}</div><p class=\"story\"></p>"
    ))
}

fn write_control(figure: &str, control: &Control, params: &Params) -> Result<String, String> {
    let Control { key, label, default, kind } = *control;
    let value = params.text(key, default);
    let at = control.values().position(|known| known == value).ok_or_else(|| {
        let known = control.values().collect::<Vec<_>>().join(", ");
        format!("figure `{figure}`: the sandbox cannot begin with `{key}={value}`; its control has: {known}")
    })?;
    let id = format!("{figure}-{key}");
    let label = format!("<label for=\"{id}\">{}</label>", phrase(label)?);
    let moved = match kind {
        Kind::Slider { values, unit } => {
            let space = if unit.is_empty() { "" } else { " " };
            format!(
                "<input type=\"range\" id=\"{id}\" data-key=\"{key}\" data-default=\"{default}\" data-values=\"{}\" data-unit=\"{space}{unit}\" \
                 min=\"0\" max=\"{}\" value=\"{at}\" aria-valuetext=\"{value}{space}{unit}\"><output for=\"{id}\">{value}{space}{unit}</output>",
                values.join(" "),
                values.len() - 1
            )
        }
        Kind::Choice(options) => {
            let mut list = String::new();
            for (option, name) in options {
                let selected = if *option == value { " selected" } else { "" };
                list.push_str(&format!("<option value=\"{option}\"{selected}>{}</option>", escape(name)));
            }
            format!("<select id=\"{id}\" data-key=\"{key}\" data-default=\"{default}\">{list}</select>")
        }
    };
    Ok(format!("<div class=\"control\">{label}{moved}</div>"))
}
