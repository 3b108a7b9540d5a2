// A form with [data-security-key] asks the person's key, as its options say, and sends the answer in its field "answer".
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const deed = form.dataset.securityKey;
  if (!deed) return;
  const field = form.elements.answer;
  if (field.value) return;
  event.preventDefault();

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) => {
    let binary = "";
    for (const one of new Uint8Array(buffer)) binary += String.fromCharCode(one);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const say = (words) => { form.querySelector("[role=status]").textContent = words; };
  const button = form.querySelector("[type=submit]");

  if (!window.PublicKeyCredential) return say("This browser cannot ask security keys.");
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  button.disabled = true;
  say("Touch your key, or do what your device asks.");
  try {
    let key;
    if (deed === "add") {
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = named(options.excludeCredentials);
      key = await navigator.credentials.create({ publicKey: options });
    } else {
      options.allowCredentials = named(options.allowCredentials);
      key = await navigator.credentials.get({ publicKey: options });
    }
    const told = key.response;
    const response = { clientDataJSON: text(told.clientDataJSON) };
    if (deed === "add") {
      response.attestationObject = text(told.attestationObject);
      response.transports = told.getTransports?.() ?? [];
    } else {
      response.authenticatorData = text(told.authenticatorData);
      response.signature = text(told.signature);
    }
    field.value = JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response });
    form.submit();
  } catch (error) {
    // The person said no, took too long, or has added this key before.
    say(error.name === "InvalidStateError" ? "This key is added already." : "The key did not answer. Try again.");
    button.disabled = false;
  }
});
