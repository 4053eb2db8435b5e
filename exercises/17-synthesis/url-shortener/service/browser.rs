//! A real browser over its pipe: Chrome's protocol on two file descriptors, nothing to install but Chromium.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub struct Browser {
    child: Child,
    messages: Receiver<Value>,
    sent: u64,
    session: Option<String>,
}

impl Browser {
    /// The name of a Chromium that can be started: the variable `CHROMIUM`, or one of the usual names.
    pub fn installed() -> Option<PathBuf> {
        let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
        let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(PathBuf::from);
        let starts = |program: &PathBuf| {
            let output = Command::new(program).arg("--version").stderr(Stdio::null()).output();
            output.is_ok_and(|output| output.status.success())
        };
        named.into_iter().chain(usual).find(starts)
    }

    /// Starts it with a fresh profile, in which no script runs, and opens an empty page.
    pub fn start(program: &Path, profile: &Path) -> Self {
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                     --disable-component-update --disable-sync --remote-debugging-pipe";
        // The protocol speaks on descriptors 3 and 4: the shell makes them of its own input and output.
        let line = format!("exec \"$0\" {flags} --user-data-dir=\"$1\" about:blank 3<&0 4>&1 >/dev/null 2>&1");
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .arg(program)
            .arg(profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let output = child.stdout.take().expect("piped");
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                if let Ok(message) = serde_json::from_slice(&message) {
                    let _ = send.send(message);
                }
            }
        });
        let mut browser = Self { child, messages, sent: 0, session: None };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", &json!({}));
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
        browser
    }

    /// Asks for something that must work.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.try_call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Asks for something and waits for the answer; events that come meanwhile are dropped.
    fn try_call(&mut self, method: &str, parameters: &Value) -> Result<Value, Value> {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer =
                self.messages.recv_timeout(left).unwrap_or_else(|_| panic!("no answer to {method} within a minute"));
            if answer["id"] == self.sent {
                let failed = !answer["error"].is_null();
                return if failed { Err(answer["error"].clone()) } else { Ok(answer["result"].clone()) };
            }
        }
    }

    /// Goes there.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
    }

    /// What the page is, as soon as it contains these words.
    pub fn page_with(&mut self, words: &str) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            // While the browser goes from one page to the next, the old one's parts are gone.
            let root = self.call("DOM.getDocument", &json!({}));
            let node = json!({"nodeId": root["root"]["nodeId"]});
            let html = self.try_call("DOM.getOuterHTML", &node).unwrap_or_default();
            let html = html["outerHTML"].as_str().unwrap_or_default().to_owned();
            if html.contains(words) {
                return html;
            }
            assert!(Instant::now() < end, "`{words}` never came; the page is\n{html}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types into what this selector finds, and presses Enter.
    pub fn type_and_enter(&mut self, selector: &str, text: &str) {
        let root = self.call("DOM.getDocument", &json!({}));
        let found = self.call("DOM.querySelector", &json!({"nodeId": root["root"]["nodeId"], "selector": selector}));
        self.call("DOM.focus", &json!({"nodeId": found["nodeId"]}));
        self.call("Input.insertText", &json!({"text": text}));
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13});
            self.call("Input.dispatchKeyEvent", &key);
        }
    }

    /// Where it is.
    pub fn location(&mut self) -> String {
        let history = self.call("Page.getNavigationHistory", &json!({}));
        let at = history["currentIndex"].as_u64().unwrap_or_default() as usize;
        history["entries"][at]["url"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
