// An application behind a BFF: it has no token and knows of none.
const headers = {"X-CSRF": "1"};

export async function begin() {
  location.assign("/bff/login?returnUrl=/");
}

export async function restore() {
  const response = await fetch("/bff/user", {headers});
  if (!response.ok && response.status !== 401) throw new Error("/bff/user answered " + response.status);
  return response.ok;
}

export function call(method, path, body) {
  if (!body) return fetch("/api" + path, {method, headers});
  return fetch("/api" + path, {method, headers: {...headers, "Content-Type": "application/json"}, body: JSON.stringify(body)});
}

// end leaves for the address that the BFF names, which signs out at the provider too and leads back here.
export async function end() {
  const response = await fetch("/bff/user", {headers});
  if (response.status === 401) return; // it has ended already
  const claims = await response.json();
  location.assign(claims.find((claim) => claim.type === "bff:logout_url").value + "&returnUrl=/");
  await new Promise(() => {}); // until the page is left
}
