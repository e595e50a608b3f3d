//! What an item of a list of arguments says of the next one: `["--password", "…"]`,
//! `["sshpass", "-p", "…"]`, `["curl", "-u", "ann:…"]`.

use super::{Masker, Value, keys, table};

/// Options before `user:password`.
const USER: [&[u8]; 4] = [b"-u", b"-U", b"--user", b"--proxy-user"];

/// The arguments of one command, seen in order.
#[derive(Default)]
pub struct Arguments {
    /// The option that a password follows, once the command says so.
    password: &'static [u8],
    is_docker: bool,
}

impl Arguments {
    /// The rule for what follows `argument`, and the key that it stands for. To be asked
    /// for each, in order.
    pub fn next<'a>(
        &mut self,
        masker: &Masker,
        argument: &'a [u8],
    ) -> Option<(&'a [u8], (u16, Value))> {
        let Some(name) = argument.strip_prefix(b"-") else {
            self.command(argument);
            return None;
        };
        if name.len() > 1 && !USER.contains(&argument) {
            return keys::option_rule(masker, argument).map(|rule| (&argument[2..], rule));
        }
        if USER.contains(&argument) {
            return Some((b"password", (table::PASSWORD, Value::User)));
        }
        (argument == self.password && !self.password.is_empty())
            .then_some((b"password", (table::PASSWORD, Value::Any)))
    }

    fn command(&mut self, argument: &[u8]) {
        let name = argument.rsplit(|b| *b == b'/').next().unwrap_or_default();
        match name {
            b"sshpass" => self.password = b"-p",
            b"redis-cli" => self.password = b"-a",
            b"docker" => self.is_docker = true,
            // Of any other of its commands -p are ports.
            b"login" if self.is_docker => self.password = b"-p",
            _ => {}
        }
    }
}

/// `ann:password`; two numbers are a user's and a group's id.
pub fn is_user(value: &[u8]) -> bool {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@');
    let name = value.iter().take(64).take_while(is_name).count();
    let Some((b':', password)) = value.get(name..).and_then(<[u8]>::split_first) else {
        return false;
    };
    name > 0
        && !password.is_empty()
        && !password.iter().all(u8::is_ascii_digit)
        && !password.contains(&b' ')
        && !keys::is_placeholder(password, false)
}
