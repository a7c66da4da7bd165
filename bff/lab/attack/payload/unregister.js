// X6: sends every service worker of the origin away. Pages that are open keep
// theirs; what is opened from now on has none.
const registrations = await navigator.serviceWorker.getRegistrations();
for (const registration of registrations) await registration.unregister();
await report({workers: String(registrations.length)});
