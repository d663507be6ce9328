/** The house's own name, as the office writes it into the page. */
export const houseName =
  document.querySelector<HTMLMetaElement>('meta[name="application-name"]')?.content || 'Fondaco';
