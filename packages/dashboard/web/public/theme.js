// Before the first paint: the theme that was chosen, or the system's.
document.documentElement.dataset.theme =
  localStorage.getItem('godwit.theme') ?? (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
