"""Browsers and authenticators as they are in the field, where Chromium's own does not behave like that: by injection.

Each takes effect from the next page on, before anything of it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.browser.tab import Tab

# `credential` is what the browser gave; what is returned is what the page sees of its PRF.
_PRF: Final = """
{
  let evaluations = 0;
  const native = globalThis.PublicKeyCredential?.prototype.getClientExtensionResults;
  const seen = new WeakMap();
  if (native !== undefined) {
    PublicKeyCredential.prototype.getClientExtensionResults = function () {
      if (!seen.has(this)) {
        const results = native.call(this);
        const creation = this.response instanceof AuthenticatorAttestationResponse;
        if (results.prf?.results !== undefined) {
          evaluations += 1;
          CHANGE
        }
        seen.set(this, results);
      }
      return seen.get(this);
    };
  }
}
"""
_WITHOUT_AT_CREATION: Final = "if (creation) { delete results.prf.results; evaluations = 0; }"
_OTHERWISE_FROM: Final = """
if (evaluations >= FROM) {
  const altered = new Uint8Array(results.prf.results.first);
  altered[0] ^= 1;
  results.prf.results = { first: altered.buffer };
}
"""
_ALGORITHM: Final = """
if (globalThis.CredentialsContainer !== undefined) {
  const native = CredentialsContainer.prototype.create;
  CredentialsContainer.prototype.create = function ({ publicKey, ...others }) {
    const pubKeyCredParams = publicKey.pubKeyCredParams.filter(({ alg }) => alg === ALGORITHM);
    return native.call(this, { publicKey: { ...publicKey, pubKeyCredParams }, ...others });
  };
}
"""
_NO_GESTURE: Final = """
if (globalThis.CredentialsContainer !== undefined) {
  let clicked = 1;
  addEventListener("click", () => { clicked = 1; }, true);
  for (const name of ["create", "get"]) {
    const native = CredentialsContainer.prototype[name];
    CredentialsContainer.prototype[name] = async function (...given) {
      if (clicked === 0) {
        throw new DOMException("a prompt needs a click before it", "NotAllowedError");
      }
      clicked = 0;
      return native.apply(this, given);
    };
  }
  Object.defineProperty(UserActivation.prototype, "isActive", { get: () => clicked === 1 });
}
"""
_WRONG_SIGNATURE: Final = """
if (globalThis.AuthenticatorAssertionResponse !== undefined) {
  const { get } = Object.getOwnPropertyDescriptor(AuthenticatorAssertionResponse.prototype, "signature");
  Object.defineProperty(AuthenticatorAssertionResponse.prototype, "signature", {
    get() {
      const altered = new Uint8Array(get.call(this).slice(0));
      altered[altered.length - 1] ^= 1;
      return altered.buffer;
    },
  });
}
"""


def have_no_prf(tab: Tab) -> Callable[[], None]:
    """Give no PRF result at all, as older browsers do; call what is returned to bring the browser up to date."""
    script = _PRF.replace("CHANGE", "delete results.prf;")
    number = tab.send("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
    return lambda: tab.send("Page.removeScriptToEvaluateOnNewDocument", identifier=number)


def evaluate_prf_for_assertions_only(tab: Tab) -> None:
    """Give no PRF result at creation, as many authenticators do."""
    _inject(tab, _PRF.replace("CHANGE", _WITHOUT_AT_CREATION))


def change_prf_from_evaluation(tab: Tab, number: int) -> None:
    """Give another PRF result from the `number`th evaluation on, as some platforms have done over hybrid."""
    _inject(tab, _PRF.replace("CHANGE", _OTHERWISE_FROM.replace("FROM", str(number))))


def sign_wrongly(tab: Tab) -> None:
    """Alter every signature, as somebody would who has the login and no passkey."""
    _inject(tab, _WRONG_SIGNATURE)


def have_no_private_files(tab: Tab) -> None:
    """Give pages no file system that they can write to, as Safari did before version 26."""
    _inject(tab, "if (globalThis.FileSystemFileHandle) { delete FileSystemFileHandle.prototype.createWritable; }")


def know_one_algorithm(tab: Tab, algorithm: int) -> None:
    """Have authenticators that know one COSE algorithm."""
    _inject(tab, _ALGORITHM.replace("ALGORITHM", str(algorithm)))


def want_a_click_for_each_prompt(tab: Tab) -> None:
    """Decline a prompt at once that no click came before, as Safari does."""
    _inject(tab, _NO_GESTURE)


def _inject(tab: Tab, script: str) -> None:
    tab.send("Page.addScriptToEvaluateOnNewDocument", source=script)
