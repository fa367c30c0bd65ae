"""CardDAV servers out of Debian packages: Cyrus IMAP 3.6 and sabre/dav 1.8.

They run with data and configuration in a temporary folder. ``python -m tests.debian_servers`` installs
what is missing where it may, and says what it may not.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import Server, free_port, running, temporary_folder, wait_until

CYRUS_MASTER = Path("/usr/lib/cyrus/bin/master")
SABRE = Path("/usr/share/php/Sabre/autoload.php")
SABRE_SQL = Path("/usr/share/doc/php-sabre-dav/examples/sql")
PACKAGES = {
    "cyrus": ("cyrus-imapd", "cyrus-caldav", "cyrus-admin", "sasl2-bin", "libsasl2-modules"),
    "sabre18": ("php-cli", "php-sqlite3", "php-xml", "php-mbstring", "php-sabre-dav"),
}
REALM = "SabreDAV"


def missing(name: str) -> str:
    """Why this server cannot be started here; empty when it can."""
    there = {
        "cyrus": CYRUS_MASTER.exists() and shutil.which("saslpasswd2") is not None,
        "sabre18": SABRE.exists() and SABRE_SQL.exists() and shutil.which("php") is not None,
    }
    if not there[name]:
        return f"{name} is not installed: apt-get install {' '.join(PACKAGES[name])}"
    if name == "cyrus" and os.geteuid() != 0:
        return "cyrus is started by root only, and gives that up by itself"
    return ""


def install(name: str) -> None:
    """By apt-get, with a policy that starts no daemon of a package: some would listen to the world."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        apt = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *PACKAGES[name]]
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(apt, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if ours:
            policy.unlink()


# ---- Cyrus ---------------------------------------------------------------------------------------

_IMAPD = """\
configdirectory: {at}/config
partition-default: {at}/spool
defaultpartition: default
sievedir: {at}/sieve
proc_path: {at}/proc
mboxname_lockpath: {at}/lock
lmtpsocket: {at}/sock/lmtp
idlesocket: {at}/sock/idle
notifysocket: {at}/sock/notify
servername: localhost
admins: cyrusadmin
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {at}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
virtdomains: off
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_users: anyone
httpmodules: carddav
httpallowcompress: no
search_engine: none
"""
_CYRUS = """\
START {{ recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C {at}/imapd.conf -r" }}
SERVICES {{
  http cmd="/usr/lib/cyrus/bin/httpd -C {at}/imapd.conf -U 100" listen="127.0.0.1:{port}" prefork=2
  imap cmd="/usr/lib/cyrus/bin/imapd -C {at}/imapd.conf" listen="{at}/sock/imap" prefork=0
}}
EVENTS {{ }}
"""


@contextmanager
def cyrus(user: str = "alice", password: str = "s3cret") -> Iterator[Server]:
    """The INBOX has to be there before httpd serves anything; imapd makes it at the first login."""
    with temporary_folder() as folder, free_port() as port:
        folder.chmod(0o755)
        for name in ("config", "spool", "sock", "proc", "lock", "sieve"):
            (folder / name).mkdir()
        for name in ("db", "socket", "msg", "log", "quota", "user"):
            (folder / "config" / name).mkdir()
        (folder / "imapd.conf").write_text(_IMAPD.format(at=folder))
        (folder / "cyrus.conf").write_text(_CYRUS.format(at=folder, port=port))
        set_password = ["saslpasswd2", "-p", "-c", "-f", str(folder / "sasldb2"), "-u", "localhost", user]
        subprocess.run(set_password, input=password.encode(), check=True)
        owner = pwd.getpwnam("cyrus")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        command = [str(CYRUS_MASTER), "-C", str(folder / "imapd.conf"), "-M", str(folder / "cyrus.conf")]
        command += ["-p", str(folder / "sock" / "pid"), "-L", str(folder / "master.log")]
        base = f"http://127.0.0.1:{port}"
        imap = folder / "sock" / "imap"
        with running(command, folder, f"{base}/.well-known/carddav", group=True) as process:
            wait_until(imap.exists, process, folder / "log")
            _log_in(imap, user, password)
            book = f"/dav/addressbooks/user/{user}/Default/"
            principal = f"/dav/principals/user/{user}/"
            server = Server("cyrus", base, principal, book, user, password, folder, process)
            wait_until(
                lambda: server.request("PROPFIND", book, headers={"Depth": "0"}).status_code == 207,
                process,
                folder / "log",
            )
            yield server


class _UnixImap(imaplib.IMAP4):
    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))
        self.file = self.sock.makefile("rb")


def _log_in(socket_path: Path, user: str, password: str) -> None:
    end = time.monotonic() + 20
    while True:
        with suppress(OSError):
            client = _UnixImap(socket_path)
            client.login(user, password)
            client.logout()
            return
        if time.monotonic() > end:
            raise RuntimeError("Cyrus does not take the login.")
        time.sleep(0.1)


# ---- sabre/dav -----------------------------------------------------------------------------------

_SETUP = """<?php
[, $file, $sql, $user, $password] = $argv;
$db = new PDO('sqlite:' . $file);
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
foreach (['addressbooks', 'locks', 'principals', 'users'] as $name) {
    $db->exec(file_get_contents("$sql/sqlite.$name.sql"));
}
$db->exec('DELETE FROM principals; DELETE FROM users');
$put = function ($table, $row) use ($db) {
    $marks = implode(',', array_fill(0, count($row), '?'));
    $names = implode(',', array_keys($row));
    $db->prepare("INSERT INTO $table ($names) VALUES ($marks)")->execute(array_values($row));
};
$put('users', ['username' => $user, 'digesta1' => md5("$user:REALM:$password")]);
$put('principals', ['uri' => "principals/$user", 'email' => "$user@example.org", 'displayname' => $user]);
$put('addressbooks', ['principaluri' => "principals/$user", 'displayname' => 'Contacts',
    'uri' => 'contacts', 'description' => '', 'ctag' => 1]);
""".replace("REALM", REALM)
_SERVE = """<?php
date_default_timezone_set('UTC');
error_reporting(E_ALL & ~E_DEPRECATED & ~E_STRICT);
ini_set('display_errors', '0');
$pdo = new PDO('sqlite:' . getenv('SABRE_DB'));
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$pdo->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');
set_error_handler(function ($number, $text, $file, $line) {
    if (!(error_reporting() & $number)) { return false; }
    throw new ErrorException($text, 0, $number, $file, $line);
});
require_once 'Sabre/autoload.php';
$people = new Sabre\\DAVACL\\PrincipalBackend\\PDO($pdo);
$server = new Sabre\\DAV\\Server([
    new Sabre\\DAVACL\\PrincipalCollection($people),
    new Sabre\\CardDAV\\AddressBookRoot($people, new Sabre\\CardDAV\\Backend\\PDO($pdo)),
]);
$server->setBaseUri('/');
$server->addPlugin(new Sabre\\DAV\\Auth\\Plugin(new Sabre\\DAV\\Auth\\Backend\\PDO($pdo), 'REALM'));
$server->addPlugin(new Sabre\\CardDAV\\Plugin());
$server->addPlugin(new Sabre\\DAVACL\\Plugin());
$server->exec();
""".replace("REALM", REALM)


@contextmanager
def sabre18(user: str = "alice", password: str = "s3cret") -> Iterator[Server]:
    """sabre/dav 1.8 on PHP's own web server, with four workers."""
    with temporary_folder() as folder, free_port() as port:
        (folder / "setup.php").write_text(_SETUP)
        (folder / "serve.php").write_text(_SERVE)
        database = folder / "sabre.sqlite"
        setup = ["php", str(folder / "setup.php"), str(database), str(SABRE_SQL), user, password]
        subprocess.run(setup, check=True)
        command = ["php", "-S", f"127.0.0.1:{port}", str(folder / "serve.php")]
        environment = {"SABRE_DB": str(database), "PHP_CLI_SERVER_WORKERS": "4"}
        base = f"http://127.0.0.1:{port}"
        with running(command, folder, base, environment, group=True) as process:
            book = f"/addressbooks/{user}/contacts/"
            yield Server(
                "sabre18", base, f"/principals/{user}/", book, user, password, folder, process, digest=True
            )


def main() -> None:
    for name in PACKAGES:
        if missing(name) and os.geteuid() == 0 and shutil.which("apt-get"):
            with suppress(subprocess.CalledProcessError):
                install(name)
        print(missing(name) or f"{name} can be started")


if __name__ == "__main__":
    main()
